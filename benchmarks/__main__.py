"""Run every benchmark and print its table."""

from . import interact, record, simulate

if __name__ == "__main__":
    simulate.main()
    record.main()
    interact.main()
