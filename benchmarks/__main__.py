"""Run every benchmark and print its table."""

from . import gil, interact, record, simulate, stage

if __name__ == "__main__":
    simulate.main()
    stage.main()
    gil.main()
    record.main()
    interact.main()
