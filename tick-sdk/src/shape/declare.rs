//! The macros that declare a struct together with its shape.

/// Declares a struct that is read and written as a JSON object with names in camelCase, and its
/// [`Shape`](crate::shape::Shape).
///
/// Behind a member's type can stand what is true of it beside the type, as a [`Form`](crate::shape::Form): `pub at: String
/// as Form::Time`. Of serde's attributes `rename`, `default`, `flatten` and `skip_serializing_if` with `default` can be
/// used; whoever declares one needs `serde`.
#[macro_export]
macro_rules! shape {
    (
        $(#[$($attribute:tt)*])*
        $vis:vis struct $Name:ident $(<$T:ident>)? {
            $($(#[$($field_attribute:tt)*])* $field_vis:vis $field:ident: $Type:ty $(as $form:expr)?),* $(,)?
        }
    ) => {
        $(#[$($attribute)*])*
        #[derive(::serde::Serialize, ::serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        $vis struct $Name $(<$T>)? {
            $($(#[$($field_attribute)*])* $field_vis $field: $Type,)*
        }

        impl $(<$T: $crate::shape::Shaped>)? $crate::shape::Shaped for $Name $(<$T>)? {
            const TYPE: $crate::shape::Type = $crate::shape::Type::Object(<Self as $crate::shape::Shaped>::shape);

            fn shape() -> &'static $crate::shape::Shape {
                const {
                    &$crate::shape::Shape {
                        name: ::core::stringify!($Name),
                        fields: &[$($crate::shape::Field {
                            rust_name: ::core::stringify!($field),
                            kind: <$Type as $crate::shape::Shaped>::TYPE,
                            form: $crate::shape_form!($($form)?),
                            attributes: &[$($crate::shape_attribute!($($field_attribute)*)),*],
                        }),*],
                        attributes: &[$($crate::shape_attribute!($($attribute)*)),*],
                        module: ::core::module_path!(),
                        line: ::core::line!(),
                    }
                }
            }
        }

        $crate::shape_submit!($Name $(<$T>)?);
    };
}

/// Lets a shape be found. Of a generic one that of its declaration is.
#[doc(hidden)]
#[macro_export]
macro_rules! shape_submit {
    ($Name:ident) => {
        $crate::inventory::submit! { $crate::shape::KnownShape(<$Name as $crate::shape::Shaped>::shape) }
    };
    ($Name:ident<$T:ident>) => {
        $crate::inventory::submit! {
            $crate::shape::KnownShape(<$Name<$crate::shape::Parameter> as $crate::shape::Shaped>::shape)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! shape_form {
    () => {
        $crate::shape::Form::Any
    };
    ($form:expr) => {
        $form
    };
}

/// What an attribute says of the JSON. One that is not known here, and changes it, does not compile.
#[doc(hidden)]
#[macro_export]
macro_rules! shape_attribute {
    (doc = $line:expr) => {
        $crate::shape::Attribute::Docs($line)
    };
    (serde(rename = $name:literal)) => {
        $crate::shape::Attribute::Rename($name)
    };
    (serde(default)) => {
        $crate::shape::Attribute::Default
    };
    (serde(flatten)) => {
        $crate::shape::Attribute::Flatten
    };
    (serde(skip_serializing_if = $is_empty:literal, default)) => {
        $crate::shape::Attribute::LeftOut
    };
    (serde($($other:tt)*)) => {
        ::core::compile_error!("`shape!` does not know what this attribute of serde makes of the JSON")
    };
    ($($other:tt)*) => {
        $crate::shape::Attribute::Other
    };
}
