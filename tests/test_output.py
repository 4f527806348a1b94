"""What a run prints: kept line by line, and only what the run's own OS thread prints."""

import sys

import threadviz as tv
from threadviz import real


def test_stream_of_a_run_is_a_text_stream():
    def program():
        sys.stdout.writelines(["a\n", "b\n", "unfinished"])
        sys.stdout.flush()
        sys.stdout.close()
        return sys.stdout.write("!"), sys.stdout.encoding

    run = tv.simulate(program)
    assert run.result() == (1, sys.stdout.encoding)
    assert [line.text for line in run.log] == ["a", "b", "unfinished!"]


def test_only_text_can_be_written():
    run = tv.simulate(lambda: sys.stdout.write(5))
    assert repr(run.exception()) == "TypeError('write() argument must be str, not int')"


def test_what_other_os_threads_print_meanwhile_goes_where_it_always_goes(capsys):
    printed = []

    def other():
        print("from outside")
        printed.append(True)

    def program():
        print("from inside")
        real.start_new_thread(other, ())
        while not printed:
            real.sleep(0.001)

    run = tv.simulate(program)
    assert [line.text for line in run.log] == ["from inside"]
    assert capsys.readouterr().out == "from outside\n"
