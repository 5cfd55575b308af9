//! Where users, rooms and call logs are kept.
//!
//! [`Store`] is the port, in the domain's terms. Its adapters are [`SqliteStore`] over the small [`Sql`] seam
//! (D1 in the Worker, rusqlite in tests), [`MongoStore`] over the small [`Http`] seam (MongoDB's Data API) and
//! [`MemoryStore`]. One conformance suite, `tests/stories`, runs against each of them.
//!
//! Invariants
//! 1. Uniqueness is enforced by the database (a unique index), never by check-then-insert.
//! 2. An operation that returned is durable; one that failed with [`StoreError`] may or may not have happened,
//!    and repeating it does no harm.
//! 3. A call has one log: writes to a room's logs are guarded by the room's calls revision.

mod calls;
mod memory;
mod mongo;
mod port;
mod record;
mod sqlite;

pub use memory::MemoryStore;
pub use mongo::{DataSource, Http, HttpAnswer, HttpError, MongoStore};
pub use port::{
    Account, Admission, Ended, Join, Membership, NewUser, PasswordChange, ProfileUpdate, Recorded, RoomCall,
    RoomChanged, Store, StoreError, Taken,
};
pub use sqlite::{Row, Sql, SqlError, SqlValue, SqliteStore, Statement};
