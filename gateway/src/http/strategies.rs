//! The strategies that this program has.

use axum::extract::State;
use axum::http::Uri;
use tick_sdk::Scope;
use tick_sdk::api::{Page, ParameterView, StrategyView};
use tick_sdk::host::Registration;

use super::read::{Known, tagged, value};
use super::refusal::Refusal;
use super::{Answer, Named, Shared, name_of};

pub(super) async fn list(State(state): Shared, uri: Uri) -> Answer {
    state.query(&uri, &["limit", "cursor"], |query| (query.limit(), query.cursor())).await?;
    Ok(value(&Page { items: all()?.into_iter().map(view).collect(), next: None }))
}

pub(super) async fn one(State(state): Shared, named: Named, known: Known, uri: Uri) -> Answer {
    let name = name_of(named)?;
    state.query(&uri, &[], |_| ()).await?;
    let all = all()?;
    let found = all.iter().find(|registration| registration.name == name);
    let found = found.ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|registration| registration.name).collect();
        Refusal::not_found(format!("there is no strategy '{name}'; there are: {}", known.join(", ")))
    })?;
    Ok(tagged(&known, &view(found)))
}

fn all() -> Result<Vec<&'static Registration>, Refusal> {
    Registration::all()
        .map_err(|error| Refusal::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
}

fn view(registration: &'static Registration) -> StrategyView {
    let defaults = registration.configure(&[]).map(|configured| configured.params()).unwrap_or_default();
    let parameters = registration.params.iter().map(|parameter| {
        let default = defaults.iter().find(|(name, _)| *name == parameter.name);
        ParameterView {
            name: parameter.name.to_owned(),
            kind: parameter.kind.to_owned(),
            docs: parameter.help.trim().to_owned(),
            default: default.map(|(_, value)| value.clone()).unwrap_or_default(),
        }
    });
    StrategyView {
        name: registration.name.to_owned(),
        summary: registration.summary.to_owned(),
        version: registration.version,
        scope: match registration.scope {
            Scope::Instrument => "instrument",
            Scope::Group => "group",
        }
        .to_owned(),
        package: registration.origin.package.to_owned(),
        parameters: parameters.collect(),
    }
}
