"""What schemathesis cannot know from the document: passwords, and rules that no JSON Schema can state."""

import os

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import ServerError
from schemathesis.openapi.checks import RejectedPositiveData

# Every password that may be set has an upper-case letter, a lower-case letter and a digit.
PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
schemathesis.openapi.format("password", st.text(PRINTABLE, min_size=5, max_size=40).map(lambda text: f"Aa1{text}"))

# Operation and text of a 400 for a body or a query that its schema allows.
BEYOND_A_SCHEMA = {
    # Cursors are sealed by the server: a string that it did not make is refused.
    ("listRooms", "Invalid cursor"),
    ("listCallLogs", "Invalid cursor"),
    # Two members that have to differ, or to be in order.
    ("changePassword", "New password must be different from current password"),
    ("recordCall", "Caller and receiver cannot be the same"),
    ("recordCall", "End time cannot be before start time"),
    ("endCall", "End time cannot be before start time"),
    # Ids of users who have to exist, and a user who must not be the one who asks.
    ("recordCall", "Invalid caller or receiver ID"),
    ("removeUser", "You cannot remove yourself"),
}
DATABASE_IS_AWAY = os.environ.get("DATABASE_IS_AWAY") == "1"


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if isinstance(failure, RejectedPositiveData) and response.status_code == 400:
        operation = case.operation.definition.raw["operationId"]
        return (operation, response.json()["error"]) not in BEYOND_A_SCHEMA
    # Then a 503 is what the document promises, and it is held to it like any other answer.
    if isinstance(failure, ServerError) and DATABASE_IS_AWAY:
        return failure.status_code != 503
    return True
