//! What the server sends and asks, and the types that messages carry.

use super::client::Client;
use super::declarations::Declarations;
use super::layout::{comment, laid_out};
use super::names;
use super::shape::{AnswerShape, HubShape, TypeShape};
use super::source::Source;

impl Client<'_> {
    pub(super) fn events(&self, source: &mut Source) {
        if self.shape.events.is_empty() {
            return;
        }
        source.gap();
        source.docs(&format!(
            "What the server sends: the handlers of `{}Client.on` by their events.",
            self.hub
        ));
        source.block(&format!("export interface {}Events {{", self.hub), "}", |source| {
            for event in &self.shape.events {
                source.docs(event.docs);
                let begin = format!("{}: (", names::key(event.name));
                source.list(&begin, &self.parameters(&event.parameters, false), ") => void;");
            }
        });
    }

    pub(super) fn questions(&self, source: &mut Source) {
        if self.shape.questions.is_empty() {
            return;
        }
        source.gap();
        source.docs(&format!(
            "What the server asks: the handlers of `{}Client.answer` by their questions.",
            self.hub
        ));
        source.block(&format!("export interface {}Questions {{", self.hub), "}", |source| {
            for question in &self.shape.questions {
                source.docs(question.docs);
                let begin = format!("{}: (", names::key(question.name));
                let answer = self.result(question.answer);
                let end = format!(") => {answer} | Promise<{answer}>;");
                source.list(&begin, &self.parameters(&question.parameters, false), &end);
            }
        });
    }

    pub(super) fn payloads(&self, source: &mut Source) {
        let mut declarations = Declarations::new(&self.config, self.taken());
        for shape in self.types() {
            shape.declare(&mut declarations);
        }
        for declaration in declarations.finish() {
            source.gap();
            source.docs(&comment(&declaration.docs));
            source.lines(&format!("export {}", laid_out(&declaration.text)));
        }
    }

    /// Names that payloads cannot have.
    fn taken(&self) -> Vec<String> {
        let own = ["Client", "Sends", "Events", "Questions"].map(|part| format!("{}{part}", self.hub));
        let others = [
            "HubStream",
            "Upload",
            "Uploads",
            "Handler",
            "AnyHandler",
            "HubConnection",
            "IStreamResult",
            "IStreamSubscriber",
            "ISubscription",
        ];
        own.into_iter().chain(others.map(str::to_owned)).collect()
    }

    fn types(&self) -> impl Iterator<Item = TypeShape> {
        let HubShape { methods, events, questions } = self.shape;
        let of_methods = methods.iter().flat_map(|method| {
            let (AnswerShape::Once(answer) | AnswerShape::Stream(answer)) = method.answer;
            method.parameters.iter().map(|parameter| parameter.kind).chain([answer])
        });
        let of_events =
            events.iter().flat_map(|event| event.parameters.iter().map(|parameter| parameter.kind));
        let of_questions = questions.iter().flat_map(|question| {
            question.parameters.iter().map(|parameter| parameter.kind).chain([question.answer])
        });
        of_methods.chain(of_events).chain(of_questions)
    }
}
