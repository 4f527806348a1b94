"""Run every benchmark and print its table."""

from . import gil, interact, simulate

if __name__ == "__main__":
    simulate.main()
    gil.main()
    interact.main()
