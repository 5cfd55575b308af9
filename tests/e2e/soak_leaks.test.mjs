// See `cargo xtask soak --help`.

import { short } from "../soak/short.mjs";

short("leaks");
