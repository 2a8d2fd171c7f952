use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::api::*;
use crate::contracts::bus::*;
use crate::contracts::strategies::*;
use crate::contracts::ticks::*;

#[test]
fn names_are_as_serde_makes_them() {
    for (name, expected) in [("ticks", "ticks"), ("ts_recv", "tsRecv"), ("a_b_c2", "aBC2")] {
        assert_eq!(camel_case(name), expected);
    }
}

#[test]
fn links_of_rust_are_no_links_elsewhere() {
    let lines = [" What [`A::b_c`] has: see", " [`C`](super::C).", "", " `D` and [e] stay."];
    assert_eq!(docs::plain(&lines.map(Attribute::Docs)), "What `A.bC` has: see `C`.\n`D` and [e] stay.");
}

/// A value of this type, as a reader takes it. A type that has a list of itself ends with an empty one.
fn example(kind: Type, levels: u32) -> Value {
    match kind {
        Type::Text => json!("x"),
        Type::Whole { most } => json!(most),
        Type::Number => json!(0.5),
        Type::Truth => json!(true),
        Type::Guid => json!("0197f0aa-5c3e-7d20-8a1b-2f6e9c4d1a00"),
        Type::Json => json!({"any": 1}),
        Type::Optional(inner) => example(*inner, levels),
        Type::List(_) if levels == 0 => json!([]),
        Type::List(item) => json!([example(*item, levels - 1)]),
        Type::Map(inner) => json!({ "x": example(*inner, levels) }),
        Type::Object(shape) => example_of(shape(), levels, |_| true),
        Type::Parameter => json!({}),
    }
}

fn example_of(shape: &Shape, levels: u32, has: fn(&Field) -> bool) -> Value {
    let members = shape.members().into_iter().filter(|field| has(field));
    Value::Object(members.map(|field| (field.json_name(), example(field.kind, levels))).collect())
}

/// What a shape says is what serde reads and writes.
fn check<T: Shaped + Serialize + DeserializeOwned>() {
    let shape = T::shape();
    let whole = example_of(shape, 2, |_| true);
    let read: T =
        serde_json::from_value(whole.clone()).unwrap_or_else(|error| panic!("{}: {error}", shape.name));
    assert_eq!(serde_json::to_value(&read).unwrap(), whole, "{}", shape.name);
    let least = example_of(shape, 2, |field| !field.may_be_absent() && field.is_always_written());
    let read: T =
        serde_json::from_value(least.clone()).unwrap_or_else(|error| panic!("{}: {error}", shape.name));
    let written = serde_json::to_value(&read).unwrap();
    let written: BTreeSet<_> = written.as_object().unwrap().keys().cloned().collect();
    let always = shape.members().into_iter().filter(|field| field.is_always_written());
    assert_eq!(written, always.map(Field::json_name).collect(), "{}", shape.name);
    for name in least.as_object().unwrap().keys() {
        let mut without = least.clone();
        without.as_object_mut().unwrap().remove(name);
        assert!(serde_json::from_value::<T>(without).is_err(), "{} without {name}", shape.name);
    }
}

#[test]
fn shapes_are_what_serde_reads_and_writes() {
    check::<StartReplay>();
    check::<ReplayAccepted>();
    check::<ReplayCompleted>();
    check::<DeployStrategy>();
    check::<SignalsCommitted>();
    check::<InstrumentFigures>();
    check::<CommandCompleted>();
    check::<CommandView>();
    check::<CommandTree>();
    check::<ReplayView>();
    check::<ProjectionView>();
    check::<Problem>();
    check::<Page<UserView>>();
}

#[test]
fn every_shape_is_found_once_and_documented() {
    let all = Shape::all();
    let names: BTreeSet<_> = all.iter().map(|shape| shape.name).collect();
    assert_eq!(names.len(), all.len(), "two have one name");
    for shape in all {
        assert!(!shape.docs().is_empty(), "{}", shape.name);
        for field in shape.fields {
            assert!(!field.docs().is_empty(), "{}.{}", shape.name, field.rust_name);
        }
    }
}
