"""The verdict on an exercise: a sentence, not a traceback."""


def verdict(check, *answers):
    """Say whether an answer passes its check.

    A check is a function of plain assertions that stands open on the page. The page is run with the
    question unanswered, so a check that fails must not stop it.

    Args:
        check: function that raises AssertionError, with a hint, where the answer is wrong.
        answers: what the reader wrote: functions or values.

    Example:
        >>> def check(double):
        ...     assert double(2) == 4, "double(2) should be 4"
        >>> verdict(check, lambda x: x)
        Not yet: double(2) should be 4
        >>> verdict(check, lambda x: 2 * x)
        Passed.
    """
    try:
        check(*answers)
    except NotImplementedError:
        print("Not yet: write your answer in place of `raise NotImplementedError`")
    except Exception as error:  # whatever a first attempt may raise
        print(f"Not yet: {str(error) or type(error).__name__}")
    else:
        print("Passed.")
