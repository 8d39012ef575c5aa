//! Remedies for files of embeddings.

use isostar_measure::{
    ElementKind, EmbeddingsError, FileError, FormatError, LARGEST, Note, PickleKind,
};

use super::commands::save_plain;
use super::{Remedy, UNKNOWN, few};

impl Remedy for FileError {
    fn remedy(&self) -> String {
        let remedy = match self {
            Self::NotFound { .. } => "check the path",
            Self::Unreadable { .. } => "check that it is a file that you have permission to read",
            Self::Empty { .. } => "write the file again: its writer was probably interrupted",
            Self::GitLfsPointer { .. } => {
                "run `git lfs pull` in the folder of the repository to fetch the file"
            }
            _ => UNKNOWN,
        };
        remedy.into()
    }
}

impl Remedy for EmbeddingsError {
    fn remedy(&self) -> String {
        match self {
            Self::File(error) => error.remedy(),
            Self::Rank { .. } => "reshape the array before saving, as in array.reshape(-1, dimension)".into(),
            Self::Narrow { .. } | Self::Wide { .. } => "check that points are rows and dimensions columns, not the other way round".into(),
            Self::OneDimension { columns, .. } => format!("omit --tensor to measure all {columns} floating-point columns together"),
            Self::NoPoints { numeric, .. } if !numeric.is_empty() => format!("choose with --tensor: {}", few(numeric)),
            Self::NoPoints { .. } => {
                "save points as floats: an array [points, dimension]; in Parquet, a column of lists or one column per dimension".into()
            }
            Self::NoSuchTensor { names, .. } if names.is_empty() => "choose another file".into(),
            Self::NoSuchTensor { names, .. } => format!("name one of {}", few(names)),
            Self::Unnamed { .. } => "omit --tensor, or save the tensors with numpy.savez or safetensors".into(),
            Self::NoMask { .. } => "save the mask with numpy.save, or points and mask together with numpy.savez".into(),
            Self::MaskShape { .. } => {
                "pass the mask of these points with --mask, choose other points with --tensor, or save the points without the mask".into()
            }
            Self::MaskValue { .. } => "save a mask that is true at tokens; if it is added to attention scores, save mask == 0".into(),
            Self::EmptyMask { .. } => "check that the mask is true at tokens and false at padding".into(),
            Self::FewPoints { .. } => "save at least two points, one per row".into(),
            Self::NotFinite { value, .. } if value.is_finite() => {
                format!("divide the points by a constant, which changes no score; the limit is {LARGEST:e}")
            }
            Self::NotFinite { at, .. } if at.len() == 3 => {
                "exclude padding with --mask, or find the source of the number, such as a diverged model or an f16 overflow".into()
            }
            Self::NotFinite { .. } => "remove the point, or find its source, such as a diverged model or an f16 overflow".into(),
            Self::NoVariance { .. } => "check the model: a collapsed model returns the same vector for every input".into(),
            Self::ReferenceWidth { .. } => "choose a reference from the same model".into(),
            Self::UnclearReference { .. } => "save the reference as the only tensor of a file, or under the name of the points".into(),
            Self::Device { .. } => "try again with --device flex".into(),
            Self::Format(error) => error.remedy(),
            _ => UNKNOWN.into(),
        }
    }
}

impl Remedy for FormatError {
    fn remedy(&self) -> String {
        let remedy = match self {
            Self::Unknown { .. } => {
                "save an array with numpy.save, or tensors with numpy.savez or safetensors"
            }
            Self::Pickle { path, kind } => {
                let Some(command) = save_plain(path, *kind) else {
                    return UNKNOWN.into();
                };
                return match kind {
                    PickleKind::Python => {
                        format!(
                            "if you trust its author (a pickle can run any program), save its arrays as .npz: {command}"
                        )
                    }
                    _ => format!("save its tensors in a plain format: {command}"),
                };
            }
            Self::NpyHeader { .. } => "save the array again with numpy.save",
            Self::Truncated { .. }
            | Self::Safetensors { .. }
            | Self::Zip { .. }
            | Self::Parquet { .. }
            | Self::Rows { .. } => "copy or save the file again: it was probably truncated",
            Self::DuplicateMembers { .. }
            | Self::OverlappingMembers { .. }
            | Self::MemberSize { .. }
            | Self::MemberContent { .. } => {
                "save the arrays again with numpy.savez: the archive is damaged or malicious"
            }
            Self::MemberName { .. } => "save the arrays again with numpy.savez, under plain names",
            Self::Encrypted { .. } | Self::Compression { .. } => {
                "save the arrays again with numpy.savez or numpy.savez_compressed"
            }
            Self::Null { .. } => {
                "drop the rows that are null or empty; PyArrow's table.drop_null() drops the null ones"
            }
            Self::NullElement { .. } => "drop the row, or replace the null by a number",
            Self::RowWidth { .. } => {
                "keep only rows of the same length, or pad them: all points must have the same dimension"
            }
            Self::ElementType { numeric, .. } if !numeric.is_empty() => {
                return format!("name one of {}", few(numeric));
            }
            Self::ElementType { found, .. } => match ElementKind::from_name(found) {
                Some(ElementKind::Complex) => {
                    "save real and imaginary parts, as in numpy.concatenate([array.real, array.imag], axis=-1)"
                }
                Some(ElementKind::Objects) => {
                    "save numbers, as in numpy.array(array.tolist(), dtype='float32')"
                }
                Some(ElementKind::Records) => {
                    "save the fields as columns, as in numpy.lib.recfunctions.structured_to_unstructured(array)"
                }
                Some(ElementKind::Text) => {
                    "choose a column of numbers; to measure texts, embed them first with `isostar embed`"
                }
                None => {
                    "convert to float32 before saving, as in numpy.save(path, array.astype('float32'))"
                }
            },
            Self::Temporary { .. } => "free disk space, or set TMPDIR to a folder with more of it",
            _ => UNKNOWN,
        };
        remedy.into()
    }
}

/// Says how to change an assumption about points; empty if no option changes it.
pub fn alternative(note: &Note) -> String {
    match note {
        Note::NoMask { possible, .. } if possible.is_empty() => "; pass one with --mask".into(),
        Note::NoMask { possible, .. } => format!(
            "; pass one with --mask, {} if it is nonzero at tokens",
            few(possible)
        ),
        Note::OneMask { .. } => "; choose another with --mask".into(),
        _ => String::new(),
    }
}
