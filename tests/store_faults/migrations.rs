//! SQLite's first request, which finds no table and applies every migration, over a database whose answers are bad.

use crate::{
    api::{
        support::{TestApp, UNKNOWN_ROOM},
        world::outcome,
    },
    faulty_store::{FaultyStore, INTERNAL, UNAVAILABLE, UNNOTICED},
    store_faults::state::Placeholders,
};

#[test]
fn the_first_request_over_an_empty_database_may_fail_anywhere_and_be_repeated() {
    let registers = |app: &TestApp| {
        let body =
            serde_json::json!({ "username": "ann", "email": "ann@example.com", "password": "Sup3rSecret" });
        app.call("POST", "/api/auth/register", None, Some(body))
    };
    let app_over = |faulty: &FaultyStore| TestApp::over(faulty.store(), &[]);
    let undisturbed = FaultyStore::empty();
    let app = app_over(&undisturbed);
    registers(&app).succeeded(201);
    needs_every_migration(&app);
    let placeholders = Placeholders::default();
    let done = placeholders.state(undisturbed.rows());
    for kind in UNNOTICED.iter().chain(&UNAVAILABLE).chain(&INTERNAL) {
        for trip in 1.. {
            let (faulty, faults) = (FaultyStore::empty(), kind(trip));
            let app = app_over(&faulty);
            faulty.plan(trip, &faults);
            let answer = registers(&app);
            if faulty.calm() == 0 {
                assert!(trip > 8, "each migration is looked for and applied");
                break;
            }
            let story = format!("round trip {trip}: {faults:?}");
            if answer.status != 201 {
                assert!(matches!(answer.status.as_u16(), 500 | 503), "{story}: {}", answer.body);
                let is_done = placeholders.state(faulty.rows()).iter().any(|row| row.starts_with("users:"));
                assert_eq!(
                    outcome(&registers(&app)),
                    if is_done { "409 email_taken" } else { "201" },
                    "{story}"
                );
            }
            needs_every_migration(&app);
            assert_eq!(placeholders.state(faulty.rows()), done, "{story}");
        }
    }
}

fn needs_every_migration(app: &TestApp) {
    let nowhere = UNKNOWN_ROOM.parse().unwrap();
    assert!(pollster::block_on(app.store.room(nowhere)).unwrap().is_none());
}
