//! Names of contracts: URNs in a body, exchanges in a broker.

use crate::contracts::{Contract, Kind, NAMESPACE};

/// What stands before the namespace in every URN.
const URN: &str = "urn:message:";

/// The URN of the contract `name`: `urn:message:Orchard.Contracts:StartReplay`.
pub fn type_urn(name: &str) -> String {
    format!("{URN}{NAMESPACE}:{name}")
}

/// The URNs of a contract, its own first and its marker's after it, where it has one: a .NET consumer of `IEvent`
/// gets every event that lists it.
pub fn type_urns<C: Contract>() -> Vec<String> {
    urns_of(C::NAME, C::Kind::MARKER)
}

/// As [`type_urns`], by name.
pub fn urns_of(name: &str, marker: Option<&str>) -> Vec<String> {
    let names = [Some(name), marker];
    names.into_iter().flatten().map(type_urn).collect()
}

/// The exchange of the contract `name`: `Orchard.Contracts:StartReplay`. Each marker has one too.
pub fn exchange(name: &str) -> String {
    format!("{NAMESPACE}:{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::accounts::{CreateUser, UserCreated};

    #[test]
    fn names_are_as_masstransit_makes_them() {
        let urns = ["urn:message:Orchard.Contracts:CreateUser", "urn:message:Orchard.Contracts:ICommand"];
        assert_eq!(type_urns::<CreateUser>(), urns);
        let urns = ["urn:message:Orchard.Contracts:UserCreated", "urn:message:Orchard.Contracts:IEvent"];
        assert_eq!(type_urns::<UserCreated>(), urns);
        assert_eq!(exchange(CreateUser::NAME), "Orchard.Contracts:CreateUser");
    }
}
