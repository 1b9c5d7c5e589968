//! Reading the length-prefixed vectors of RFC 8446 section 3.4 without ever indexing.

/// What is left to read of a structure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a>(&'a [u8]);

/// The structure ends before the field does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short;

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Short> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Short> {
        let (first, rest) = self.0.split_first().ok_or(Short)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Short> {
        let (first, rest) = self.0.split_first_chunk::<2>().ok_or(Short)?;
        self.0 = rest;
        Ok(u16::from_be_bytes(*first))
    }

    /// A vector whose length is one byte.
    pub(crate) fn vec8(&mut self) -> Result<Self, Short> {
        let len = self.u8()?;
        self.take(usize::from(len)).map(Self)
    }

    /// A vector whose length is two bytes.
    pub(crate) fn vec16(&mut self) -> Result<Self, Short> {
        let len = self.u16()?;
        self.take(usize::from(len)).map(Self)
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.0
    }
}
