//! The adapters' one suite, on the Data API adapter, through the real server, in a real database.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "../../crates/store/tests/stories/mod.rs"]
#[macro_use]
mod stories;
mod support;

use std::sync::Arc;

use support::Fixture;

macro_rules! on_mongodb {
    ($($story:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $story() {
            let fixture = Fixture::start().await;
            stories::$story(Arc::new(fixture.store())).await;
            fixture.end().await;
        })*
    };
}

every_story!(on_mongodb);
