//! The types that messages carry, each once, those it is made of before it.

use std::any::{TypeId, type_name};
use std::collections::{BTreeMap, HashSet};

use ts_rs::{Config, TS, TypeVisitor};

/// Declarations as they are collected.
pub(crate) struct Declarations<'a> {
    config: &'a Config,
    seen: HashSet<TypeId>,
    /// The Rust type that has the name in TypeScript, without its parameters.
    owners: BTreeMap<String, &'static str>,
    declared: Vec<Declaration>,
}

/// One type in TypeScript.
#[derive(Debug)]
pub(super) struct Declaration {
    /// A comment with its marks and a line's end; may be empty.
    pub(super) docs: String,
    /// `type Order = { … };` or `enum …`, on one line but for the comments of its fields.
    pub(super) text: String,
}

impl<'a> Declarations<'a> {
    /// Without any; these names are taken by the client itself.
    pub(super) fn new(config: &'a Config, taken: Vec<String>) -> Self {
        let owners = taken.into_iter().map(|name| (name, "the client")).collect();
        Self { config, seen: HashSet::new(), owners, declared: Vec::new() }
    }

    /// In an order in which each stands before those that are made of it.
    pub(super) fn finish(self) -> Vec<Declaration> {
        self.declared
    }

    /// Declares a type, and before it what it is made of. What TypeScript knows already is not declared.
    pub(super) fn declare<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        for (_, declare) in Parts::of::<T>(self.config) {
            declare(self);
        }
        if T::output_path().is_some() && self.is_new::<T>() {
            self.declared.push(Declaration { docs: T::docs().unwrap_or_default(), text: T::decl(self.config) });
        }
    }

    /// Whether the name is free. A generic type is declared once, whatever its parameters.
    fn is_new<T: TS + 'static + ?Sized>(&mut self) -> bool {
        let rust_name = type_name::<T>().split('<').next().unwrap_or_default();
        let name = T::ident(self.config);
        let Some(owner) = self.owners.get(&name) else {
            self.owners.insert(name, rust_name);
            return true;
        };
        assert!(
            *owner == rust_name,
            "{rust_name} and {owner} are both called {name} in TypeScript: rename one by #[ts(rename = \"…\")]"
        );
        false
    }
}

/// What a type is made of. The derive names it in an order that differs from build to build, so it is sorted.
struct Parts<'a> {
    config: &'a Config,
    found: BTreeMap<String, fn(&mut Declarations<'_>)>,
}

impl<'a> Parts<'a> {
    fn of<T: TS + 'static + ?Sized>(config: &'a Config) -> BTreeMap<String, fn(&mut Declarations<'_>)> {
        let mut parts = Parts { config, found: BTreeMap::new() };
        T::visit_dependencies(&mut parts);
        T::visit_generics(&mut parts);
        parts.found
    }
}

impl TypeVisitor for Parts<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Two Rust types that TypeScript calls the same are both looked at.
        let name = format!("{} {}", T::name(self.config), type_name::<T>());
        self.found.insert(name, |declarations| declarations.declare::<T>());
    }
}
