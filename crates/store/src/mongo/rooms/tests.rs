//! A host's change whose first response was lost.

use zetra_domain::{ObjectIds, Timestamp};

use super::{
    super::{
        DataSource,
        scripted::{answers, broken, script},
    },
    *,
};

#[test]
fn after_a_lost_response_nobody_is_removed_from_or_readmitted_to_an_ended_room() {
    let start = Timestamp::from_millis(1_700_000_000_000);
    let mut ids = ObjectIds::new([4; 8]);
    let [host, removed, other] = [(); 3].map(|()| ids.user(start));
    let id = RoomId::from_random([1; 16]);
    let changed = |change: RoomChange, active: bool| {
        let room = json!({ "documents": [{
            "roomId": id.to_string(), "host": object_id(host), "participants": [object_id(host)],
            "removed": [object_id(removed)], "active": active, "createdAt": date(start),
        }] });
        let unmatched = json!({ "matchedCount": 0, "modifiedCount": 0 });
        let script =
            script([broken(), answers(200, &unmatched.to_string()), answers(200, &room.to_string())]);
        let source = DataSource { name: "Cluster0".to_owned(), database: "zetra".to_owned() };
        pollster::block_on(MongoStore::new(&script, source).change(id, host, &change)).unwrap()
    };
    for change in [RoomChange::Remove(removed), RoomChange::Readmit(other)] {
        let active = changed(change.clone(), true);
        assert!(matches!(active, RoomChanged::Changed(_)), "the lost attempt may have done it: {active:?}");
        assert_eq!(changed(change.clone(), false), RoomChanged::NotFound, "{change:?}");
    }
}
