//! A checkpoint of state as one value: the keys that changed, each with its state.
//!
//! One value a checkpoint instead of a row a key makes storing ten thousand keys a single write. A
//! lane's state is the sum of its checkpoints, and is folded into one now and then.

use std::collections::BTreeMap;

use super::LedgerError;

/// Encodes changed keys: for each the lengths of key and state as little-endian u32, then both.
pub(super) fn encode(changed: &[(String, Vec<u8>)]) -> Vec<u8> {
    let size = changed.iter().map(|(key, state)| 8 + key.len() + state.len()).sum();
    let mut out = Vec::with_capacity(size);
    for (key, state) in changed {
        out.extend((key.len() as u32).to_le_bytes());
        out.extend((state.len() as u32).to_le_bytes());
        out.extend(key.as_bytes());
        out.extend(state);
    }
    out
}

/// The states that checkpoints add up to; a later one's keys replace an earlier one's.
///
/// # Errors
/// One is not a checkpoint.
pub(super) fn fold<'a>(
    checkpoints: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<(String, Vec<u8>)>, LedgerError> {
    let mut states = BTreeMap::new();
    for checkpoint in checkpoints {
        let mut rest = checkpoint;
        while !rest.is_empty() {
            let (key, state) = take(&mut rest).ok_or_else(|| LedgerError::Damaged("a state".to_owned()))?;
            states.insert(key, state);
        }
    }
    Ok(states.into_iter().map(|(key, state)| (key.to_owned(), state.to_vec())).collect())
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    let (lengths, values) = rest.split_first_chunk::<8>()?;
    let length =
        |at: usize| u32::from_le_bytes([lengths[at], lengths[at + 1], lengths[at + 2], lengths[at + 3]]);
    let (key, values) = values.split_at_checked(length(0) as usize)?;
    let (state, values) = values.split_at_checked(length(4) as usize)?;
    *rest = values;
    Some((std::str::from_utf8(key).ok()?, state))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn checkpoints_add_up_as_maps_do(
            checkpoints in prop::collection::vec(
                prop::collection::vec(("[a-cä]{0,2}", prop::collection::vec(any::<u8>(), 0..5)), 0..6),
                0..5,
            ),
        ) {
            let encoded: Vec<_> = checkpoints.iter().map(|changed| encode(changed)).collect();
            let expected: BTreeMap<_, _> = checkpoints.into_iter().flatten().collect();
            let folded = fold(encoded.iter().map(Vec::as_slice)).unwrap();
            prop_assert_eq!(&folded, &expected.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(fold([encode(&folded).as_slice()]).unwrap(), folded);
        }

        #[test]
        fn damage_is_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 1..30)) {
            let mut cut = encode(&[("key".to_owned(), bytes.clone())]);
            cut.pop();
            prop_assert!(fold([cut.as_slice()]).is_err());
            let _ = fold([bytes.as_slice()]);
        }
    }
}
