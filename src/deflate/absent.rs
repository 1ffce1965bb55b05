//! Replaces permessage-deflate if the feature `deflate` is off. These types have no values, so that the compiler removes all code
//! that uses them.

use http::{HeaderMap, HeaderValue};

use crate::error::Error;
use crate::role::Role;

#[derive(Clone, Debug)]
pub(crate) enum Compression {}

#[derive(Debug)]
pub(crate) enum Negotiated {}

#[derive(Debug)]
pub(crate) enum Deflater {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stateless {}

#[derive(Debug)]
pub(crate) enum Inflater {}

#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "nothing can fail that is never done")]
pub(crate) enum InflateError {
    Invalid,
    Refused,
    TooBig,
}

impl Compression {
    /// What is on unless it is turned off.
    pub(crate) fn by_default() -> Option<Self> {
        None
    }

    pub(crate) fn accept(&self, _: &HeaderMap) -> Option<Negotiated> {
        match *self {}
    }

    pub(crate) fn offer(&self) -> HeaderValue {
        match *self {}
    }

    pub(crate) fn confirm(&self, _: &HeaderMap) -> Result<Option<Negotiated>, Error> {
        match *self {}
    }
}

impl Negotiated {
    pub(crate) fn response_value(&self) -> HeaderValue {
        match *self {}
    }
}

impl Deflater {
    pub(crate) fn new(negotiated: &Negotiated, _: Role, _: &Compression) -> Self {
        match *negotiated {}
    }

    pub(crate) fn stateless(&self) -> Option<Stateless> {
        match *self {}
    }

    pub(crate) fn deflate(&mut self, _: &[u8], _: &mut Vec<u8>) -> bool {
        match *self {}
    }
}

impl Stateless {
    pub(crate) fn deflate(self, _: &[u8], _: &mut Vec<u8>) -> bool {
        match self {}
    }
}

impl Inflater {
    pub(crate) fn new(negotiated: &Negotiated, _: Role) -> Self {
        match *negotiated {}
    }

    pub(crate) fn inflate(
        &mut self,
        _: &[u8],
        _: usize,
        _: impl FnMut(usize) -> bool,
        _: &mut Vec<u8>,
    ) -> Result<(), InflateError> {
        match *self {}
    }
}
