//! What a name and an e-mail address may be.

use bus::HandlerError;

/// The longest name, in characters.
const LONGEST_NAME: usize = 200;
/// The longest address, in bytes: what mail servers take.
const LONGEST_EMAIL: usize = 254;

/// A name without blanks around it.
pub(crate) fn checked_name(name: &str) -> Result<&str, HandlerError> {
    let name = name.trim();
    let count = name.chars().count();
    if count == 0 || count > LONGEST_NAME {
        let reason = format!("name has {count} characters: give 1 to {LONGEST_NAME}");
        return Err(HandlerError::refused(reason));
    }
    if name.chars().any(char::is_control) {
        return Err(HandlerError::refused("name has control characters: leave them out"));
    }
    Ok(name)
}

/// An address with one `@` between two parts that are not empty. Whether mail arrives there, only mail can tell.
pub(crate) fn checked_email(email: &str) -> Result<&str, HandlerError> {
    let email = email.trim();
    let fits = email
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    let plain = !email.chars().any(|c| c.is_control() || c.is_whitespace());
    if fits && plain && email.len() <= LONGEST_EMAIL {
        return Ok(email);
    }
    Err(HandlerError::refused(format!("email {email:?} is no e-mail address: give one as ann@example.org")))
}
