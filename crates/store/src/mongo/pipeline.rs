//! Pipelines and the parts of queries whose order matters: `serde_json`'s maps keep none.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

/// A stage of a pipeline. Those with a sort specification are not [`Value`]s, which keep no order.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Stage {
    Json(Value),
    Sort {
        #[serde(rename = "$sort")]
        sort: Sort,
    },
    Lookup {
        #[serde(rename = "$lookup")]
        lookup: Lookup,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Lookup {
    from: &'static str,
    pipeline: Vec<Stage>,
    #[serde(rename = "as")]
    field: &'static str,
}

impl Stage {
    pub(super) fn sort(fields: &'static [(&'static str, i8)]) -> Self {
        Self::Sort { sort: Sort(fields) }
    }

    /// Puts the documents of another collection whose `_id` is in `local_field` into `field`.
    pub(super) fn by_id(from: &'static str, local_field: &str, field: &str) -> Self {
        json!({ "$lookup": { "from": from, "localField": local_field, "foreignField": "_id", "as": field } })
            .into()
    }

    /// Puts the result of a pipeline over another collection into a field.
    pub(super) fn lookup(from: &'static str, pipeline: Vec<Self>, field: &'static str) -> Self {
        Self::Lookup { lookup: Lookup { from, pipeline, field } }
    }
}

impl From<Value> for Stage {
    fn from(stage: Value) -> Self {
        Self::Json(stage)
    }
}

/// A sort specification: the order of its fields counts, which a map does not keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sort(pub(super) &'static [(&'static str, i8)]);

impl Serialize for Sort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, direction) in self.0 {
            map.serialize_entry(field, direction)?;
        }
        map.end()
    }
}

/// `{field: {$lt: value}}` for the second field if the first is equal: what comes after a cursor in an order of
/// two descending fields. The bound of the first alone says nothing new, but an index that begins elsewhere is entered by it.
pub(super) fn after(first: &str, time: Value, second: &str, id: Value) -> Value {
    let before_or_smaller = json!([{ first: { "$lt": time } }, { first: time, second: { "$lt": id } }]);
    json!({ first: { "$lte": time }, "$or": before_or_smaller })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sort_keeps_its_order() {
        let sort = serde_json::to_string(&Sort(&[("startTime", -1), ("_id", -1)])).unwrap();
        assert_eq!(sort, r#"{"startTime":-1,"_id":-1}"#);
    }
}
