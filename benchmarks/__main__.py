"""Run every benchmark and print its table."""

from . import explore, gil, interact, record, simulate, stage

if __name__ == "__main__":
    simulate.main()
    stage.main()
    explore.main()
    gil.main()
    record.main()
    interact.main()
