//! What a query or a pipeline may do beyond reading its own collection, decided before the database sees it.
//!
//! Names are looked for at any depth, in everything that is evaluated and in nothing that is data: the
//! documents of an insert, a replacement, the operands of update operators.
//!
//! Invariant: [`Policy::judge`] returns every database that a pipeline reaches; a form that is not understood
//! is refused.

use bson::{Bson, Document};

use crate::error::ApiError;

/// What the operator permits requests to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// `$where`, `$function`, `$accumulator`, `$code`: JavaScript in the database.
    pub allow_javascript: bool,
    /// `$out`, `$merge`: pipelines that write.
    pub allow_pipeline_writes: bool,
}

/// A database that a request touches. The key must allow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    pub database: String,
    pub writes: bool,
}

impl Policy {
    /// The databases that `questions` reach beyond the collection they run on, which is in `database`.
    pub fn judge<'a>(
        &self,
        database: &str,
        questions: impl IntoIterator<Item = &'a Document>,
    ) -> Result<Vec<Reach>, ApiError> {
        let mut judgement = Judgement { policy: self, database, reached: Vec::new() };
        questions.into_iter().try_for_each(|question| judgement.document(question))?;
        Ok(judgement.reached)
    }
}

struct Judgement<'a> {
    policy: &'a Policy,
    database: &'a str,
    reached: Vec<Reach>,
}

impl Judgement<'_> {
    /// serde_json bounds the depth.
    fn document(&mut self, document: &Document) -> Result<(), ApiError> {
        document.iter().try_for_each(|(name, value)| {
            self.operator(name, value)?;
            self.value(value)
        })
    }

    fn value(&mut self, value: &Bson) -> Result<(), ApiError> {
        match value {
            Bson::Document(document) => self.document(document),
            Bson::Array(items) => items.iter().try_for_each(|item| self.value(item)),
            Bson::JavaScriptCode(_) | Bson::JavaScriptCodeWithScope(_) => self.javascript("$code"),
            _ => Ok(()),
        }
    }

    fn operator(&mut self, name: &str, operand: &Bson) -> Result<(), ApiError> {
        match name {
            "$where" | "$function" | "$accumulator" => self.javascript(name),
            "$changeStream" => {
                Err(ApiError::Invalid("$changeStream is not allowed here: it never ends".into()))
            }
            "$out" => self.writes(name, operand),
            "$merge" => match operand {
                Bson::Document(merge) => self.writes(name, merge.get("into").unwrap_or(&Bson::Null)),
                into => self.writes(name, into),
            },
            "$lookup" | "$graphLookup" => match operand.as_document().and_then(|lookup| lookup.get("from")) {
                Some(from) => self.reaches(name, from, false),
                // The documents are in the pipeline itself.
                None => Ok(()),
            },
            // With `coll` it is a collection of this database, with `db` one of another database.
            "$unionWith" => match operand {
                Bson::Document(union) if !union.contains_key("db") => {
                    union.get_str("coll").map_or(Ok(()), not_of_the_system)
                }
                union => self.reaches(name, union, false),
            },
            _ => Ok(()),
        }
    }

    fn javascript(&self, name: &str) -> Result<(), ApiError> {
        allowed(self.policy.allow_javascript, name, "--allow-javascript")
    }

    fn writes(&mut self, name: &str, target: &Bson) -> Result<(), ApiError> {
        allowed(self.policy.allow_pipeline_writes, name, "--allow-pipeline-writes")?;
        self.reaches(name, target, true)
    }

    fn reaches(&mut self, name: &str, target: &Bson, writes: bool) -> Result<(), ApiError> {
        let unknown = |_| unknown_form(name);
        let (database, collection) = match target {
            Bson::String(collection) => (self.database, collection.as_str()),
            Bson::Document(target) => {
                (target.get_str("db").map_err(unknown)?, target.get_str("coll").map_err(unknown)?)
            }
            _ => return Err(unknown_form(name)),
        };
        not_of_the_system(collection)?;
        let reach = Reach { database: database.to_owned(), writes };
        if !self.reached.contains(&reach) {
            self.reached.push(reach);
        }
        Ok(())
    }
}

/// Refuses a collection that MongoDB keeps for itself.
pub fn not_of_the_system(collection: &str) -> Result<(), ApiError> {
    if collection.starts_with("system.") {
        return Err(ApiError::Invalid("collections of the system are not for requests".to_owned()));
    }
    Ok(())
}

fn allowed(allowed: bool, name: &str, flag: &str) -> Result<(), ApiError> {
    if allowed {
        Ok(())
    } else {
        Err(ApiError::Invalid(format!("{name} is not allowed here (the server's {flag})")))
    }
}

fn unknown_form(name: &str) -> ApiError {
    ApiError::Invalid(format!("{name} must name a collection, or {{db, coll}}"))
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    const NOTHING: Policy = Policy { allow_javascript: false, allow_pipeline_writes: false };
    const JAVASCRIPT: Policy = Policy { allow_javascript: true, allow_pipeline_writes: false };
    const WRITES: Policy = Policy { allow_javascript: false, allow_pipeline_writes: true };

    fn refusal(policy: Policy, question: &Document) -> String {
        policy
            .judge("own", [question])
            .map_or_else(|error| error.to_string(), |reached| format!("{reached:?}"))
    }

    #[test]
    fn javascript_is_refused_however_deep_and_allowed_by_its_flag_alone() {
        let code = Bson::JavaScriptCode("1".to_owned());
        let scoped = bson::JavaScriptCodeWithScope { code: "1".to_owned(), scope: doc! {} };
        for (name, question) in [
            ("$where", doc! { "$where": "1" }),
            ("$where", doc! { "$and": [{ "$or": [{ "$where": code.clone() }] }] }),
            ("$function", doc! { "$expr": { "$function": {} } }),
            ("$function", doc! { "a": { "$function": { "body": code.clone() } } }),
            ("$accumulator", doc! { "$group": { "_id": 1, "a": { "$accumulator": {} } } }),
            ("$code", doc! { "a": code }),
            ("$code", doc! { "a": [{ "b": scoped }] }),
        ] {
            let expected = format!("{name} is not allowed here (the server's --allow-javascript)");
            for policy in [NOTHING, WRITES] {
                assert_eq!(refusal(policy, &question), expected, "{question}");
            }
            assert_eq!(JAVASCRIPT.judge("own", [&question]).unwrap(), [], "{question}");
        }
    }

    #[test]
    fn pipelines_that_write_are_refused_however_deep_and_tell_where_they_write() {
        let into = |into: Bson| doc! { "$merge": { "into": into } };
        for (name, stage, database) in [
            ("$out", doc! { "$out": "copies" }, "own"),
            ("$out", doc! { "$out": { "db": "other", "coll": "copies" } }, "other"),
            ("$merge", doc! { "$merge": "copies" }, "own"),
            ("$merge", into("copies".into()), "own"),
            ("$merge", into(doc! { "db": "other", "coll": "copies" }.into()), "other"),
            (
                "$merge",
                doc! { "$facet": { "a": [into(doc! { "db": "other", "coll": "b" }.into())] } },
                "other",
            ),
            ("$out", doc! { "$unionWith": { "coll": "a", "pipeline": [{ "$out": "b" }] } }, "own"),
        ] {
            let expected = format!("{name} is not allowed here (the server's --allow-pipeline-writes)");
            for policy in [NOTHING, JAVASCRIPT] {
                assert_eq!(refusal(policy, &stage), expected, "{stage}");
            }
            let reach = Reach { database: database.to_owned(), writes: true };
            assert_eq!(WRITES.judge("own", [&stage]).unwrap(), [reach], "{stage}");
        }
    }

    #[test]
    fn stages_that_read_elsewhere_tell_where() {
        let other = doc! { "db": "other", "coll": "a" };
        for (stage, database) in [
            (doc! { "$lookup": { "from": "a", "as": "b" } }, Some("own")),
            (doc! { "$lookup": { "from": other.clone(), "as": "b" } }, Some("other")),
            (doc! { "$lookup": { "pipeline": [{ "$documents": [] }], "as": "b" } }, None),
            (doc! { "$graphLookup": { "from": other.clone() } }, Some("other")),
            (doc! { "$unionWith": "a" }, Some("own")),
            (doc! { "$unionWith": { "coll": "a" } }, None),
            (doc! { "$unionWith": other.clone() }, Some("other")),
            (doc! { "$facet": { "a": [{ "$unionWith": other }] } }, Some("other")),
        ] {
            let reached = NOTHING.judge("own", [&stage]).unwrap();
            let expected = database.map(|database| Reach { database: database.to_owned(), writes: false });
            assert_eq!(reached, Vec::from_iter(expected), "{stage}");
        }
    }

    #[test]
    fn a_target_in_an_unknown_form_is_refused() {
        for stage in [
            doc! { "$out": 1 },
            doc! { "$out": { "s3": { "bucket": "b" } } },
            doc! { "$merge": {} },
            doc! { "$merge": { "into": { "atlas": { "db": "other", "coll": "a" } } } },
            doc! { "$merge": { "into": { "db": 1, "coll": "a" } } },
            doc! { "$lookup": { "from": { "coll": "a" } } },
            doc! { "$unionWith": 1 },
        ] {
            assert!(refusal(WRITES, &stage).contains("must name a collection"), "{stage}");
        }
    }

    #[test]
    fn collections_of_the_system_are_refused_wherever_a_stage_names_one() {
        let profile = doc! { "db": "other", "coll": "system.profile" };
        for stage in [
            doc! { "$lookup": { "from": "system.profile", "as": "b" } },
            doc! { "$lookup": { "from": profile.clone(), "as": "b" } },
            doc! { "$graphLookup": { "from": "system.profile" } },
            doc! { "$unionWith": "system.profile" },
            doc! { "$unionWith": { "coll": "system.profile" } },
            doc! { "$facet": { "a": [{ "$unionWith": profile.clone() }] } },
            doc! { "$out": "system.js" },
            doc! { "$merge": { "into": profile } },
        ] {
            assert!(refusal(WRITES, &stage).contains("collections of the system"), "{stage}");
        }
    }

    #[test]
    fn a_stage_that_never_ends_is_refused_whatever_is_allowed() {
        let all = Policy { allow_javascript: true, allow_pipeline_writes: true };
        let stage = doc! { "$changeStream": {} };
        for question in [
            stage.clone(),
            doc! { "$unionWith": { "coll": "a", "pipeline": [stage.clone()] } },
            doc! { "$facet": { "a": [stage.clone()] } },
            doc! { "$lookup": { "from": "a", "pipeline": [stage], "as": "a" } },
        ] {
            assert!(refusal(all, &question).contains("$changeStream"), "{question}");
        }
    }
}
