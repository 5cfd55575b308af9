//! The room machine. Whatever its peers and the store say, in whatever order: a user is in the room once, the room is
//! never overfull, and nobody is in it whom the store bars or whose token it does not honour; every ack is answered
//! once; what is sent is JSON, relayed as it came, and names nobody as sender but the sender; the room is what
//! was stored of it; and nobody is held longer than the hold from now on, wherever the clock is set.
//!
//! | line | step |
//! |---|---|
//! | `connect 1 0`, `connect 1` | peer 1 connects with a token of user 0, or without |
//! | `say 1 join-room ["$room","$0"]` | an event; `$room` and `$0` are the room's and a user's id |
//! | `ask 1 offer ["$room",null]` | the same with an ack |
//! | `admit`, `admit 1`, `stale` | the store answers the oldest question, in place of peer 1, as of when it was asked |
//! | `down` | the store cannot be asked |
//! | `lose 1`, `depart 1`, `recover 1`, `expire 1` | the connection |
//! | `kick 0`, `readmit 0`, `end`, `lock 0`, `revoke 0`, `delete 0` | what changes in the store, and the room is told |
//! | `wait 10000`, `clock -3600000` | time passes, the clock is set |

mod scene;

use scene::Scene;
use zetra_domain::Membership;

const MAX_STEPS: usize = 300;

pub(crate) fn run(data: &[u8]) {
    let Ok(script) = std::str::from_utf8(data) else { return };
    let mut scene = Scene::new();
    for step in script.split('\n').take(MAX_STEPS) {
        let mut words = step.splitn(3, ' ');
        let (word, first) = (words.next().unwrap_or_default(), words.next());
        let second = words.next();
        let number = number(first);
        match (word, second) {
            ("connect", user) => scene.connects(number, user.map(|user| self::number(Some(user)))),
            ("say" | "ask", Some(event)) => scene.says(number, event, word == "ask"),
            ("admit", _) => scene.answers(false, first.map(|_| number)),
            ("stale", _) => scene.answers(true, first.map(|_| number)),
            ("down", _) => scene.cannot_answer(),
            ("lose", _) => scene.loses(number),
            ("depart", _) => scene.departs(number),
            ("recover", _) => scene.recovers(number),
            ("expire", _) => scene.expires(number),
            ("kick", _) => scene.kicks(number),
            ("readmit", _) => scene.stores(number, Membership::Participant),
            ("lock", _) => scene.stores(number, Membership::LockedOut),
            ("end", _) => scene.ends_room(),
            ("revoke", _) => scene.revokes(number),
            ("delete", _) => scene.deletes(number),
            ("wait", _) => scene.waits(first.and_then(|millis| millis.parse::<u32>().ok()).unwrap_or(0)),
            ("clock", _) => scene.turns_clock(crate::clock(first.unwrap_or_default())),
            _ => continue,
        }
        scene.is_consistent();
    }
}

/// Of a peer or a user.
fn number(word: Option<&str>) -> usize {
    word.and_then(|word| word.bytes().next()).map_or(0, usize::from)
}
