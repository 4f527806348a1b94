"""Run every benchmark and print its table."""

from . import gil, interact, record, simulate

if __name__ == "__main__":
    simulate.main()
    gil.main()
    record.main()
    interact.main()
