"""The control API: sessions, rules, faults and calls over HTTP, for tests in every language;
and the inspector's page.

`gate` checks who may call and finds the route. `route` is the value that describes a route.
`session_routes` and `call_routes` answer, `fakecloud` answers the routes of that emulator's SDKs,
`openapi` describes all routes.
"""
