//! A request's body: read up to its limit, into memory that is reserved first.

use axum::body::{Body, HttpBody};
use http_body_util::BodyExt;

use crate::{error::ApiError, memory::Held};

/// Reads at most `most` bytes of it.
pub async fn read(mut body: Body, most: usize, held: &mut Held) -> Result<Vec<u8>, ApiError> {
    let too_large = || ApiError::BodyTooLarge(most);
    let told = body.size_hint().exact();
    let told = told.map(usize::try_from).transpose().map_err(|_| too_large())?.unwrap_or(0);
    if told > most {
        return Err(too_large());
    }
    held.at_least(told)?;
    let mut bytes = Vec::with_capacity(told);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::Invalid("the request's body ended early".to_owned()))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return Err(too_large());
        }
        held.make_room(&mut bytes, data.len(), 0)?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    #[tokio::test]
    async fn a_body_is_held_before_it_is_read() {
        let memory = Memory::new(1_000);
        let mut held = memory.hold();
        let bytes = read(Body::from(vec![b'x'; 600]), 800, &mut held).await.unwrap();
        assert_eq!((bytes.len(), memory.taken()), (600, 600));
        let mut other = memory.hold();
        let refused = read(Body::from(vec![b'x'; 600]), 800, &mut other).await;
        assert!(matches!(refused, Err(ApiError::TooManyRequests)));
        let refused = read(Body::from(vec![b'x'; 900]), 800, &mut other).await;
        assert!(matches!(refused, Err(ApiError::BodyTooLarge(800))));
        drop(held);
        let refused = read(Body::from(vec![b'x'; 1_001]), 2_000, &mut other).await;
        assert!(matches!(refused, Err(ApiError::TooLargeForMemory)));
    }

    #[tokio::test]
    async fn a_body_that_does_not_tell_its_length_is_bounded_as_it_comes() {
        let chunks = |count| {
            let chunks = (0..count).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 100]));
            Body::from_stream(futures_util::stream::iter(chunks))
        };
        let memory = Memory::new(8_000);
        let mut held = memory.hold();
        assert_eq!(read(chunks(30), 3_000, &mut held).await.unwrap().len(), 3_000);
        assert!(memory.taken() >= 3_000);
        assert!(matches!(read(chunks(31), 3_000, &mut held).await, Err(ApiError::BodyTooLarge(3_000))));
        assert!(matches!(read(chunks(90), 9_000, &mut held).await, Err(ApiError::TooLargeForMemory)));
    }
}
