//! Every operation of the API, and the request that is made of it.

use serde_json::{Value, json};
use zetra_domain::PasswordHash;

use crate::{
    api::{
        support::{Answer, TestApp},
        world::{Caller, World, outcome},
    },
    faulty_store::{FaultyStore, Snapshot},
    store_faults::state::Placeholders,
};

pub struct Case {
    pub operation: &'static str,
    by: Caller,
    /// What came before.
    given: fn(&World),
    /// Instead of the usual body.
    body: Option<fn(&World) -> Value>,
    /// The outcome of the request.
    pub first: &'static str,
    /// The outcome of the same request made once more.
    pub again: &'static str,
    pub repeats: Repeats,
    /// The state is what the request asks for already. After a transient error nobody can tell since when.
    pub already_done: bool,
}

/// What a second request of the same kind does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// Nothing more than the first.
    Nothing,
    /// The same once more: each makes one of its own.
    Anew,
    /// What the first may have left undone, as its client need not know of it.
    WhatWasLeft,
}

const fn case(operation: &'static str, by: Caller, first: &'static str, again: &'static str) -> Case {
    Case {
        operation,
        by,
        given: |_| {},
        body: None,
        first,
        again,
        repeats: Repeats::Nothing,
        already_done: false,
    }
}

const fn reads(operation: &'static str) -> Case {
    case(operation, Caller::Participant, "200", "200")
}

const fn of_host(operation: &'static str, again: &'static str) -> Case {
    case(operation, Caller::Host, "200", again)
}

pub const CASES: [Case; 32] = [
    reads("GET /"),
    reads("GET /health"),
    reads("GET /openapi.json"),
    reads("GET /asyncapi.json"),
    case("POST /api/auth/register", Caller::NoToken, "201", "409 email_taken"),
    case("POST /api/auth/login", Caller::NoToken, "200", "200"),
    Case {
        given: has_old_hash,
        body: Some(|world| json!({ "email": world.host.email, "password": "weak" })),
        repeats: Repeats::WhatWasLeft,
        ..case("POST /api/auth/login", Caller::NoToken, "200", "200")
    },
    of_host("POST /api/auth/change-password", "401 wrong_password"),
    reads("GET /api/user/profile"),
    of_host("PUT /api/user/profile", "200"),
    of_host("DELETE /api/user/account", "401 token_invalid"),
    Case { repeats: Repeats::Anew, ..case("POST /api/room/create", Caller::Stranger, "201", "201") },
    reads("GET /api/room"),
    case("POST /api/room/join/{roomId}", Caller::Stranger, "200", "200"),
    reads("GET /api/room/{roomId}"),
    of_host("PUT /api/room/{roomId}", "200"),
    of_host("DELETE /api/room/{roomId}", "404 room_not_found"),
    Case {
        given: |world| assert_call(world, "DELETE /api/room/{roomId}", "200"),
        already_done: true,
        ..case("DELETE /api/room/{roomId}", Caller::Host, "404 room_not_found", "404 room_not_found")
    },
    of_host("POST /api/room/{roomId}/kick", "404 user_not_found"),
    Case {
        body: Some(|world| json!({ "userId": world.removed.id })),
        already_done: true,
        ..case("POST /api/room/{roomId}/kick", Caller::Host, "404 user_not_found", "404 user_not_found")
    },
    of_host("POST /api/room/{roomId}/readmit", "404 user_not_found"),
    Case {
        given: |world| assert_call(world, "DELETE /api/room/{roomId}", "200"),
        ..case("POST /api/room/{roomId}/kick", Caller::Host, "404 room_not_found", "404 room_not_found")
    },
    Case {
        given: |world| assert_call(world, "DELETE /api/room/{roomId}", "200"),
        body: Some(|world| json!({ "userId": world.removed.id })),
        ..case("POST /api/room/{roomId}/kick", Caller::Host, "404 room_not_found", "404 room_not_found")
    },
    Case {
        given: |world| assert_call(world, "DELETE /api/room/{roomId}", "200"),
        ..case("POST /api/room/{roomId}/readmit", Caller::Host, "404 room_not_found", "404 room_not_found")
    },
    of_host("POST /api/room/{roomId}/lock", "200"),
    Case {
        given: |world| assert_call(world, "POST /api/room/{roomId}/lock", "200"),
        ..of_host("POST /api/room/{roomId}/unlock", "200")
    },
    Case { given: has_call, ..reads("GET /api/call-logs") },
    case("POST /api/call-logs", Caller::Participant, "201", "200"),
    Case {
        given: has_call,
        ..case("PUT /api/call-logs/{roomId}/end", Caller::Participant, "200", "404 call_log_not_found")
    },
    Case { given: has_call, ..case("POST /api/call-logs", Caller::Host, "200", "200") },
    Case { given: has_call, ..reads("GET /api/call-logs/stats") },
    reads("GET /api/ice-servers"),
];

fn assert_call(world: &World, operation: &str, expected: &str) {
    let answer = world.call(Caller::Host, operation, world.body(operation));
    assert_eq!(outcome(&answer), expected, "{operation}");
}

fn has_call(world: &World) {
    assert_call(world, "POST /api/call-logs", "201");
}

/// The host's hash is one of the Node backend, of "weak".
fn has_old_hash(world: &World) {
    let id = world.host.id.parse().unwrap();
    let old = PasswordHash::stored("$2b$04$1uLpvs3NH1X/SbSgJeVccedAQdSWqEabdDo6/XoKSQ5/JbMrPjRPi".to_owned());
    pollster::block_on(async {
        let now = world.app.store.account(id).await.unwrap().unwrap().password_hash;
        world.app.store.renew_hash(id, &now, &old).await.unwrap();
    });
}

/// A world for one case after the other.
pub struct Stage {
    pub world: World,
    pub faulty: FaultyStore,
    placeholders: Placeholders,
    at_first: Snapshot,
}

impl Stage {
    pub fn new() -> Self {
        let faulty = FaultyStore::empty();
        let world = World::of(TestApp::over(faulty.store(), &[]));
        let (placeholders, at_first) = (Placeholders::of(&world), faulty.snapshot());
        Self { world, faulty, placeholders, at_first }
    }

    pub fn scene<'a>(&'a mut self, case: &'a Case) -> Scene<'a> {
        self.faulty.restore(&self.at_first);
        (case.given)(&self.world);
        let at_first = self.faulty.snapshot();
        let mut scene = Scene { case, stage: self, at_first };
        scene.reset();
        scene
    }
}

/// A request, to be made again and again.
pub struct Scene<'a> {
    pub case: &'a Case,
    pub stage: &'a mut Stage,
    at_first: Snapshot,
}

impl Scene<'_> {
    /// Everything is as it was at first, and nothing is remembered.
    pub fn reset(&mut self) {
        let Stage { world, faulty, .. } = &mut *self.stage;
        faulty.restore(&self.at_first);
        world.app = TestApp::over(faulty.store(), &[]);
    }

    pub fn send(&self) -> Answer {
        let Case { operation, by, body, .. } = *self.case;
        let body = body.map(|body| body(&self.stage.world)).or_else(|| self.stage.world.body(operation));
        self.stage.world.call(by, operation, body)
    }

    pub fn text(&self, answer: &Answer) -> String {
        self.stage.placeholders.answer(answer)
    }

    pub fn state(&self) -> Vec<String> {
        self.stage.placeholders.state(self.stage.faulty.rows())
    }

    /// The same, as if what is committed were applied.
    pub fn committed_state(&self) -> Vec<String> {
        self.stage.placeholders.state(self.stage.faulty.committed_rows())
    }

    /// What the Room object was told, each once.
    pub fn host_acts(&self) -> Vec<String> {
        let acts = self.stage.world.app.rooms.host_acts.lock().unwrap();
        let mut texts: Vec<String> =
            acts.iter().map(|act| self.stage.placeholders.text(&format!("{act:?}"))).collect();
        texts.dedup();
        texts
    }
}
