//! What reading a request promises, whatever its body: no panic; nothing is evaluated that the policy does not
//! allow; the memory it takes is reserved, and free afterwards; and what was read is written as Extended JSON that
//! reads back as the same, and as JSON.

#![allow(clippy::expect_used, reason = "a check that panics says so")]

use bson::{Document, RawDocumentBuf};

use crate::{
    action::{Action, Limits, Policy, Request, Update},
    ejson::{Format, write_document},
    memory::Memory,
};

const LIMITS: Limits =
    Limits { documents: 100, policy: Policy { allow_javascript: false, allow_pipeline_writes: false } };
const MEMORY: usize = 16 << 20;
/// What is never evaluated under that policy.
const REFUSED: [&str; 6] = ["$where", "$function", "$accumulator", "$out", "$merge", "$changeStream"];

/// Reads a request.
///
/// # Panics
/// If a promise is broken.
pub fn check(action: &str, body: &[u8]) {
    let memory = Memory::new(MEMORY);
    let mut held = memory.hold();
    if let Ok(request) = Request::parse(action, body, &LIMITS, &mut held) {
        let (evaluated, stored) = request.action.into_documents();
        for document in &evaluated {
            assert!(!is_evaluated(document), "the policy does not allow it");
        }
        let evaluated = evaluated.into_iter().filter_map(|document| RawDocumentBuf::try_from(document).ok());
        let documents: Vec<RawDocumentBuf> = evaluated.chain(stored).collect();
        let bytes: usize = documents.iter().map(|document| document.as_bytes().len()).sum();
        assert!(memory.taken() >= bytes, "{} are reserved for {bytes}", memory.taken());
        documents.iter().for_each(reads_back);
    }
    drop(held);
    assert_eq!(memory.taken(), 0);
}

/// Whether it has an operator that the policy refuses, at any depth.
fn is_evaluated(document: &Document) -> bool {
    let refused = |name: &str, value: &bson::Bson| {
        REFUSED.contains(&name)
            || match value {
                bson::Bson::Document(inner) => is_evaluated(inner),
                bson::Bson::Array(items) => {
                    items.iter().filter_map(bson::Bson::as_document).any(is_evaluated)
                }
                bson::Bson::JavaScriptCode(_) | bson::Bson::JavaScriptCodeWithScope(_) => true,
                _ => false,
            }
    };
    document.iter().any(|(name, value)| refused(name, value))
}

fn reads_back(document: &RawDocumentBuf) {
    let written = |format| {
        let mut text = Vec::new();
        write_document(&mut text, document, format).expect("our own BSON is well formed");
        text
    };
    let ejson = written(Format::Ejson);
    let read: Document = serde_json::from_slice(&ejson).expect("what is written can be read");
    let again = RawDocumentBuf::try_from(read).expect("it was BSON before");
    assert_eq!(again.as_bytes(), document.as_bytes(), "{}", String::from_utf8_lossy(&ejson));
    serde_json::from_slice::<serde_json::Value>(&written(Format::Json)).expect("JSON");
}

impl Action {
    /// What the database evaluates, and what it stores or takes as data.
    fn into_documents(self) -> (Vec<Document>, Vec<RawDocumentBuf>) {
        let stored = |document| RawDocumentBuf::try_from(document).into_iter().collect();
        match self {
            Self::FindOne { filter, projection } => {
                ([Some(filter), projection].into_iter().flatten().collect(), Vec::new())
            }
            Self::Find { filter, projection, sort, .. } => {
                ([Some(filter), projection, sort].into_iter().flatten().collect(), Vec::new())
            }
            Self::InsertOne { document } => (Vec::new(), vec![document]),
            Self::InsertMany { documents } => (Vec::new(), documents),
            Self::Update { filter, update: Update::Pipeline(stages), .. } => {
                (std::iter::once(filter).chain(stages).collect(), Vec::new())
            }
            Self::Update { filter, update: Update::Operators(operators), .. } => {
                (vec![filter], stored(operators))
            }
            Self::ReplaceOne { filter, replacement, .. } => (vec![filter], stored(replacement)),
            Self::Delete { filter, .. } => (vec![filter], Vec::new()),
            Self::Aggregate { pipeline } => (pipeline, Vec::new()),
        }
    }
}
