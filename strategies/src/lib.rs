//! Apple, Pear, and the host.
