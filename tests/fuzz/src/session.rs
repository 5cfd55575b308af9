//! Sessions over polling and WebSocket, through Engine.IO and Socket.IO to an application that echoes. Whatever clients
//! do: every request is answered exactly once; nothing is sent on a WebSocket that is closed; events arrive in order,
//! without a gap and without a double, over whichever transport; the application hears of each socket's end once;
//! what is held is bounded; what a sleep needs is stored before it; no alarm is further away than the longest
//! deadline, wherever the clock is set; and in the end nothing is left.
//!
//! | line | step |
//! |---|---|
//! | `polling`, `websocket` | a client opens a session |
//! | `session 1`, `link 1` | the next lines are about another session or WebSocket |
//! | `get`, `post 4hello`, `octets`, `put`, `abort` | requests of the session; the last one's client gives up |
//! | `begin`, `end 4hello` | a POST whose body takes its time |
//! | `upgrade`, `text 2probe`, `binary 9`, `close 1001` | WebSockets, and frames on the last one |
//! | `answer`, `wait 25000`, `sleep` | the application answers, time passes, the object sleeps |
//! | `clock -3600000` | the clock is set |

mod application;
mod line;

use line::Line;

const MAX_STEPS: usize = 300;

pub(crate) fn run(data: &[u8]) {
    let Ok(script) = std::str::from_utf8(data) else { return };
    let mut line = Line::new();
    for step in script.split('\n').take(MAX_STEPS) {
        let (word, rest) = step.split_once(' ').unwrap_or((step, ""));
        match word {
            "polling" => line.opens_polling(),
            "websocket" => line.opens_websocket(),
            "session" => line.turns_to_session(number(rest)),
            "link" => line.turns_to_link(number(rest)),
            "get" => line.gets(),
            "post" => line.posts(rest),
            "begin" => line.begins_post(false),
            "octets" => line.begins_post(true),
            "end" => line.ends_post(rest),
            "put" => line.puts(),
            "abort" => line.aborts(),
            "upgrade" => line.upgrades(),
            "text" => line.says(rest),
            "binary" => line.says_binary(number(rest)),
            "close" => line.closes(rest.parse().ok()),
            "answer" => line.answers(),
            "wait" => line.waits(number(rest)),
            "sleep" => line.sleeps(),
            "clock" => line.turns_clock(crate::clock(rest)),
            _ => {}
        }
        line.holds_little();
    }
    line.ends();
}

/// At most 60,000.
fn number(text: &str) -> u32 {
    text.trim().parse::<u32>().unwrap_or(0).min(60_000)
}
