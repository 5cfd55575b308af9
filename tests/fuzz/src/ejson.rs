//! A request to the Data API that is accepted says the same when it is written and read again, and the memory that it
//! held is free afterwards: the promises are stated in [`zetra_data_api::fuzzing`].

/// The first line is the action, the rest its body.
pub(crate) fn run(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (action, body) = data.split_at(end);
    if let Ok(action) = std::str::from_utf8(action) {
        zetra_data_api::fuzzing::check(action, &body[1..]);
    }
}
