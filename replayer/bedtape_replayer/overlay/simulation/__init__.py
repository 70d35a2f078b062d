"""Simulated features of the service: functions from a request and a neutral answer to an answer.

`features` reads the key `simulate` and applies the features in order. Each other module
is one feature or a table.
"""
