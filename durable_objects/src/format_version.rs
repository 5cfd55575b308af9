//! The version of a stored form, as a member of it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Written as `LATEST`. What has none was stored before there were versions, and reads the same; what has a later one
/// does not deserialise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FormatVersion<const LATEST: u32>;

impl<const LATEST: u32> Serialize for FormatVersion<LATEST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(LATEST)
    }
}

impl<'de, const LATEST: u32> Deserialize<'de> for FormatVersion<LATEST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let version = u32::deserialize(deserializer)?;
        if version > LATEST {
            return Err(D::Error::custom(format_args!("version {version} is later than {LATEST}")));
        }
        Ok(Self)
    }
}
