//! What a Room object asks of a database whose answers are bad: it repeats its report until it is taken.

use zetra_domain::{Call, CallLog, CallState, ObjectIds, Timestamp};
use zetra_store::{RoomCall, StoreError};

use super::{
    Kind,
    cases::{CASES, Scene, Stage},
};
use crate::{
    api::support::now,
    faulty_store::{FaultyStore, INTERNAL, TRIPS_OF_A_REPORT, UNAVAILABLE, UNNOTICED},
};

/// Open, and over.
fn reports(scene: &Scene<'_>, ids: &mut ObjectIds) -> [CallLog; 2] {
    let people =
        [&scene.stage.world.host, &scene.stage.world.participant].map(|person| person.id.parse().unwrap());
    let [caller, receiver] = people;
    let (room, start) = (scene.stage.world.room.parse().unwrap(), now());
    let call = Call { room, caller, receiver, participants: people.to_vec(), start, end: None };
    let open = CallLog { kept_by_room: true, ..CallLog::new(ids.call_log(start), call) };
    let over = CallLog { state: CallState::Over { at: start.plus_millis(90_000) }, ..open.clone() };
    [open, over]
}

/// As the room does: each attempt under an id of its own.
fn report(faulty: &FaultyStore, log: &CallLog, ids: &mut ObjectIds) -> Result<Option<RoomCall>, StoreError> {
    let now = log.start.plus_millis(100_000);
    pollster::block_on(faulty.store().record_room_call(ids.call_log(now), log, now))
}

#[test]
fn a_call_that_a_room_reports_until_it_is_taken_is_recorded_once() {
    let mut ids = ObjectIds::new([9; 8]);
    let mut stage = Stage::new();
    let mut scene = stage.scene(&CASES[0]);
    let logs = reports(&scene, &mut ids);
    logs.iter().for_each(|log| drop(report(&scene.stage.faulty, log, &mut ids).unwrap().unwrap()));
    let done = scene.state();
    assert_eq!(done.iter().filter(|row| row.contains("logs:")).count(), 1);
    let mut requests = 0;
    for kind in UNNOTICED.iter().chain(&UNAVAILABLE).chain(&INTERNAL) {
        for failing in 0..logs.len() {
            for trip in 1.. {
                scene.reset();
                let logs = reports(&scene, &mut ids);
                let met = with_fault(&scene, &logs, failing, *kind, trip, &mut ids);
                assert_eq!(scene.state(), done, "report {failing}, round trip {trip}: {:?}", kind(trip));
                if !met {
                    assert_eq!(trip, TRIPS_OF_A_REPORT + 1);
                    break;
                }
                requests += 1;
            }
        }
    }
    println!("a room's reports: {requests} with faults");
}

/// Whether the report met its fault.
fn with_fault(
    scene: &Scene<'_>,
    logs: &[CallLog],
    failing: usize,
    kind: Kind,
    trip: usize,
    ids: &mut ObjectIds,
) -> bool {
    let mut met = false;
    for (index, log) in logs.iter().enumerate() {
        if index == failing {
            scene.stage.faulty.plan(trip, &kind(trip));
        }
        let taken = report(&scene.stage.faulty, log, ids);
        met |= scene.stage.faulty.calm() > 0;
        let call = match taken {
            Ok(call) => call,
            Err(_) => report(&scene.stage.faulty, log, ids).unwrap(),
        };
        let RoomCall { log: recorded, joined } = call.unwrap();
        let end = |log: &CallLog| log.end().map(Timestamp::millis);
        assert_eq!((recorded.id, end(&recorded), joined), (log.id, end(log), vec![]));
    }
    met
}
