/// Defines a function of which one copy is compiled for every width of registers; a call runs the
/// widest that the machine has.
///
/// Its body, and every function that it calls and that is to be wide as well, is inlined by an
/// attribute: a closure would leave that to the compiler, which compiled long ones for narrow
/// registers.
macro_rules! wide {
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident<$life:lifetime $(, $generic:ident: $bound:path)?>(
            $($argument:ident: $type:ty),* $(,)?
        ) $body:block
    ) => {
        $(#[$attribute])*
        $visibility fn $name<$life $(, $generic: $bound)?>($($argument: $type),*) {
            struct Call<$life $(, $generic)?> {
                $($argument: $type,)*
                life: std::marker::PhantomData<(&$life (), $($generic)?)>,
            }

            impl<$life $(, $generic: $bound)?> pulp::NullaryFnOnce for Call<$life $(, $generic)?> {
                type Output = ();

                #[inline(always)]
                fn call(self) {
                    let Self { $($argument,)* .. } = self;
                    $body
                }
            }

            pulp::Arch::new().dispatch(Call { $($argument,)* life: std::marker::PhantomData::<(&$life (), $($generic)?)> })
        }
    };
}

pub(crate) use wide;
