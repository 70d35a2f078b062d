/** The version of this package, and of the Python package that `npx bedtape` runs. */
export const version = "0.1.0";
