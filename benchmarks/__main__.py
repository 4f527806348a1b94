"""Run every benchmark and print its table."""

from . import interact, simulate

if __name__ == "__main__":
    simulate.main()
    interact.main()
