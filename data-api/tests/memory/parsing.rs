//! Proves that the bounds estimated for a text before it is parsed are upper bounds.

use bson::{Document, RawDocumentBuf};

use crate::{HEAP, alone, cost::Cost};

#[test]
fn what_parsing_takes_is_never_more_than_was_told_before() {
    let _alone = alone();
    // One more than lists and tables have room for before they grow again.
    const COUNTS: [usize; 3] = [10_000, (1 << 13) + 1, 7 * (1 << 10) + 1];
    let log = r#"{"_id":{"$oid":"6193504e1be4ab27791c8133"},"roomId":"5e3a4c1e-1111-4111-8111-111111111111",
        "startTime":{"$date":{"$numberLong":"1641954803067"}},"duration":{"$numberInt":"5"}}"#;
    let items = [
        "0",
        r#""""#,
        "{}",
        "[]",
        "[0]",
        "[[[0]]]",
        "[0,0,0]",
        "[0,0,0,0,0]",
        r#"{"a":0}"#,
        r#"{"a":""}"#,
        r#"{"a":{"b":0}}"#,
        r#"{"a":{"b":{"c":{}}}}"#,
        r#"{"a":[{"a":[]}]}"#,
        r#"{"a":0,"b":0,"c":0,"d":0,"e":0}"#,
        r#"{"$oid":"6193504e1be4ab27791c8133"}"#,
        r#"{"$numberLong":"1"}"#,
        r#"{"$numberDecimal":"1"}"#,
        r#"{"$date":{"$numberLong":"5"}}"#,
        r#"{"$code":"a","$scope":{}}"#,
        r#"{"$regularExpression":{"pattern":"a","options":"i"}}"#,
        r#"{"$binary":{"base64":"AQID","subType":"00"}}"#,
        log,
    ];
    let lists = COUNTS
        .into_iter()
        .flat_map(|count| items.into_iter().map(move |item| format!("[{}]", vec![item; count].join(","))));
    let tables = COUNTS.into_iter().map(|count| {
        format!("{{{}}}", (0..count).map(|name| format!("\"{name}\":0")).collect::<Vec<_>>().join(","))
    });
    let strings = ["x".repeat(1_000_000), r"\n".repeat(500_000), r#"\",["#.repeat(1_000_000)]
        .map(|text| format!("\"{text}\""));
    for value in lists.chain(tables).chain(strings) {
        let text = format!("{{\"a\":{value}}}");
        let cost = Cost::of(&text);
        HEAP.reset_peak_usage();
        let before = HEAP.current_usage();
        let document: Document = serde_json::from_str(&text).unwrap();
        let parsing = HEAP.peak_usage().saturating_sub(before);
        let sample = &text[..text.len().min(60)];
        assert!(parsing <= cost.parsing(), "{parsing} > {} for {sample}", cost.parsing());
        let bson = RawDocumentBuf::try_from(document).unwrap().as_bytes().len();
        assert!(bson <= cost.bson(), "{bson} > {} for {sample}", cost.bson());
    }
}
