//! The shared suite of the adapters, on the Data API adapter, through the real server, in a real database.

use std::sync::Arc;

use crate::{stories, support::Fixture};

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
