//! What the stories of the API share with these; their own are for other stores.

#[path = "../../../tests/api/document.rs"]
pub mod document;
#[path = "../../../tests/api/support.rs"]
pub mod support;
#[path = "../../../tests/api/world.rs"]
pub mod world;
