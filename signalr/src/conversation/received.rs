//! Numbers of what a stateful client sends.
