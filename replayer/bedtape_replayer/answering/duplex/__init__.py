"""Conversations: requests and answers that are event streams, which pass at the same time.

`inputs` reads the client's events, `turns` decides which events of the model follow them, and
`conversation` makes steps of these events. No sockets, no clock.
"""
