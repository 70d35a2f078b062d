"""`bedtape doctor`: reports the problems of an environment and how to fix each problem.

It changes nothing.

`probe` reads this machine and returns one frozen value, `Environment`. Each check is a pure
function of that value that returns `Diagnosis` values; `cli` lists all checks and prints the
values.
"""
