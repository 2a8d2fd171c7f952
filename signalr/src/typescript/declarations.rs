//! The types that messages carry, each once, those it is made of before it.

use std::any::{TypeId, type_name};
use std::collections::{BTreeMap, HashSet};

use ts_rs::{Config, TS, TypeVisitor};

/// Declarations as they are collected.
pub(crate) struct Declarations<'a> {
    config: &'a Config,
    seen: HashSet<TypeId>,
    /// The Rust type that has the name in TypeScript, and how it is declared.
    owners: BTreeMap<String, (&'static str, String)>,
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
        let owners = taken.into_iter().map(|name| (name, ("the client", String::new()))).collect();
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
        if T::output_path().is_some() {
            self.add(T::ident(self.config), type_name::<T>(), T::docs(), T::decl(self.config));
        }
    }

    /// A generic type is declared once, whatever its parameters; so is one that stands for another.
    fn add(&mut self, name: String, rust_name: &'static str, docs: Option<String>, text: String) {
        if let Some((owner, other)) = self.owners.get(&name) {
            assert!(
                *other == text,
                "{rust_name} and {owner} are both called {name} in TypeScript: rename one by #[ts(rename = \"…\")]"
            );
            return;
        }
        self.owners.insert(name, (rust_name, text.clone()));
        self.declared.push(Declaration { docs: docs.unwrap_or_default(), text });
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
