//! Any script, as strategies of proptest.

use proptest::prelude::*;

use super::{
    SAID, Step,
    client::Pongs,
    object::{HOLD, REJOIN, SILENCE},
    world::CLIENTS,
};

fn client() -> impl Strategy<Value = usize> {
    0..CLIENTS
}

fn step() -> impl Strategy<Value = Step> {
    let bools = any::<(bool, bool)>;
    let rarely = || prop::bool::weighted(0.15);
    let enters = (client(), any::<bool>(), rarely())
        .prop_map(|(client, through_session, polls)| Step::Enters { client, through_session, polls });
    let opens = (client(), any::<bool>(), rarely())
        .prop_map(|(client, through_session, polls)| Step::Opens { client, through_session, polls });
    let says = (client(), 0..SAID.len(), any::<bool>()).prop_map(|(client, what, asks)| Step::Says {
        client,
        what,
        asks,
    });
    let code = prop_oneof![3 => Just(None), 1 => Just(Some(1001)), 1 => Just(Some(1000))];
    let pongs = prop_oneof![3 => Just(Pongs::AtOnce), 3 => Just(Pongs::Late), 1 => Just(Pongs::Never)];
    prop_oneof![
        8 => enters,
        2 => opens,
        2 => client().prop_map(Step::Connects),
        2 => client().prop_map(Step::Joins),
        2 => client().prop_map(Step::Upgrades),
        14 => says,
        1 => (client(), bools()).prop_map(|(client, (whole, _))| Step::SaysBinary { client, whole }),
        1 => client().prop_map(Step::Floods),
        5 => (client(), code).prop_map(|(client, code)| Step::Loses { client, code }),
        2 => client().prop_map(Step::Deafens),
        1 => (client(), pongs).prop_map(|(client, pongs)| Step::Pongs(client, pongs)),
        4 => (0..4_usize, prop::bool::weighted(0.8)).prop_map(|(which, well)| Step::Finishes { which, well }),
        6 => Just(Step::FinishesAll),
        1 => client().prop_map(Step::Removes),
        1 => client().prop_map(Step::Readmits),
        1 => client().prop_map(Step::Revokes),
        1 => Just(Step::EndsRoom),
    ]
}

const CALM: i64 = 5_000;
const HOUR: i64 = 3_600_000;

/// Milliseconds before a step.
fn pause() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => Just(0),
        2 => 0..2_000_i64,
        // After five seconds of calm the alarm saves what a burst has left; then it takes ten to fall asleep.
        6 => CALM + SILENCE + 1..CALM + SILENCE + 4_000,
        1 => 20_000..70_000_i64,
        1 => HOLD + 1..REJOIN + HOLD,
    ]
}

pub(super) fn script() -> impl Strategy<Value = Vec<(i64, Step)>> {
    prop::collection::vec((pause(), step()), 1..60)
}

/// The same, and the clock is set now and then. Of a debt that outlasts a sleep nobody knows then how large it was.
pub(super) fn script_with_clock() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let clock = prop_oneof![
        2 => Just(-2 * HOUR),
        2 => -30_000..0_i64,
        1 => 0..30_000_i64,
        1 => Just(2 * HOUR),
        1 => Just(8 * 24 * HOUR),
    ];
    let others = step().prop_filter("a debt", |step| !matches!(step, Step::Floods(_)));
    let step = prop_oneof![5 => others, 1 => clock.prop_map(Step::Clock)];
    prop::collection::vec((pause(), step), 1..60)
}
