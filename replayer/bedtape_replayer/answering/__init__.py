"""From a call to its answer: the call, its recording, the reply and the steps on the wire."""
