//! How much memory a text takes when it is parsed: upper bounds, estimated from the text before it is parsed.
//!
//! A list of zeros, two bytes each, becomes documents of two hundred times its size, so the text's length says
//! little. This is not a parser: for text that is not JSON the bounds are meaningless, and do no harm.
//! `tests/memory` checks by measurement that they are upper bounds.

/// Bytes, for each of the forms that a text goes through.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    text: usize,
    /// The number of values in documents and arrays.
    values: usize,
}

impl Cost {
    /// A value in a document or an array: its slot, its name, and its share of what tables and lists allocate
    /// in advance, twice while they grow. Documents and arrays of one value cost the most.
    const VALUE: usize = 450;
    /// Type, name, and length or number of a value in BSON, besides its text.
    const BSON_VALUE: usize = 17;
    /// A reference in a growing list.
    const REFERENCE: usize = 3 * size_of::<&str>();
    /// Documents that represent one value of Extended JSON, which is counted already.
    const WRAPPERS: [&[u8]; 3] = [b"{\"$oid\"", b"{\"$date\"", b"{\"$number"];

    pub fn of(text: &str) -> Self {
        let text = text.as_bytes();
        let mut values = 0;
        let (mut in_string, mut escaped) = (false, false);
        for (index, byte) in text.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                b',' | b'[' if !in_string => values += 1,
                b'{' if !in_string => {
                    let rest = text.get(index..).unwrap_or_default();
                    values += usize::from(!Self::WRAPPERS.iter().any(|wrapper| rest.starts_with(wrapper)));
                }
                _ => {}
            }
        }
        Self { text: text.len(), values }
    }

    /// As documents.
    pub fn tree(self) -> usize {
        self.text + self.values * Self::VALUE
    }

    pub fn bson(self) -> usize {
        self.text + self.values * Self::BSON_VALUE
    }

    /// As a list of references into the text.
    pub fn references(self) -> usize {
        self.values * Self::REFERENCE
    }

    /// While it is parsed into documents. A string with escapes is decoded into a buffer that grows, in
    /// addition to the resulting string.
    pub fn parsing(self) -> usize {
        self.tree() + 2 * self.text
    }
}
