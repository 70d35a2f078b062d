"""Bytes to requests and answers to bytes. Sans-io: no sockets, no clock."""
