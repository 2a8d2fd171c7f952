//! Names of fields in MessagePack.
