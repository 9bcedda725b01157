// The built-in M-Bus profiles: what there is and which meters they fit, without reading any of the files beside this one.

import type { ProfileHead } from "../../profile.ts";
import { type BuiltIn, createShelf } from "../../profile-shelf.ts";
import type { ProductMatch } from "../product.ts";
import { mbusProfiles } from "../product-examples.ts";
import type { ProductEntry, ProductShelf } from "../product-samples.ts";

const meter = (
  name: string,
  manufacturer: string,
  model: string,
  kind: string,
  match?: ProductMatch,
): ProductEntry => ({ name, manufacturer, model, class: kind, ...(match && { match }) });

export const builtInMbus: BuiltIn<ProductEntry> = {
  folder: new URL("./", import.meta.url),
  entries: [
    meter("abb-delta", "ABB", "DELTA", "ElectricityMeter", { manufacturer: "ABB", version: [2], medium: [2] }),
    meter("abb-f95", "ABB", "F95", "HeatMeter", { manufacturer: "HYD", version: [40], medium: [4] }),
    meter("elster-f96-plus", "Elster", "F96 Plus", "HeatMeter", { manufacturer: "ELS", version: [47], medium: [4] }),
    meter("elvaco-cma10", "Elvaco", "CMa10", "RoomSensor", { manufacturer: "ELV", version: [22, 21, 50], medium: [0] }),
    meter("emh-diz", "EMH", "DIZ", "ElectricityMeter", { manufacturer: "EMH", version: [0], medium: [2] }),
    meter("engelmann-waterstar", "Engelmann", "WaterStar", "WaterMeter", {
      manufacturer: "EFE",
      version: [0],
      medium: [6],
    }),
    meter("gmc-emmod206", "Gossen Metrawatt", "EMMOD 206", "ElectricityMeter", {
      manufacturer: "GMC",
      version: [230],
      medium: [2],
    }),
    meter("gwf-mtkcoder", "GWF", "MTKcoder", "WaterMeter", { manufacturer: "GWF", version: [53], medium: [7] }),
    meter("ista-sensonic", "ista", "sensonic", "HeatMeter"),
    meter("ista-sensonic-short", "ista", "sensonic, short telegrams", "HeatMeter"),
    meter("itron-cf51", "Itron", "CF 51", "HeatMeter", { manufacturer: "ACW", version: [10], medium: [13] }),
    meter("itron-cf55", "Itron", "CF 55", "HeatMeter", { manufacturer: "ACW", version: [11], medium: [12] }),
    meter("itron-cyble-mbus", "Itron", "Cyble M-Bus 1.4", "WaterMeter", {
      manufacturer: "ACW",
      version: [20],
      medium: [7],
    }),
    meter("itron-cyble-mbus-gas", "Itron", "Cyble M-Bus 1.4", "GasMeter", {
      manufacturer: "ACW",
      version: [20],
      medium: [3],
    }),
    meter("itron-integral-mk-maxx", "Itron", "Integral MK MaXX", "HeatMeter", {
      manufacturer: "SLB",
      version: [6],
      medium: [4],
    }),
    meter("kamstrup-multical-601", "Kamstrup", "MULTICAL 601", "HeatMeter", {
      manufacturer: "KAM",
      version: [8],
      medium: [4],
    }),
    meter("landis-gyr-g350", "Landis+Gyr", "G350", "GasMeter", { manufacturer: "LGB", version: [64], medium: [3] }),
    meter("minol-minocal-c2", "Minol", "Minocal C2", "HeatMeter", { manufacturer: "ZRM", version: [129], medium: [4] }),
    meter("minol-minocal-wr3", "Minol", "Minocal WR3", "HeatMeter", {
      manufacturer: "ZRM",
      version: [130],
      medium: [4],
    }),
    meter("relay-padpuls-m2", "Relay", "PadPuls M2", "PulseAdapter", { manufacturer: "REL", version: [18] }),
    meter("relay-padpuls-m3", "Relay", "PadPuls M3", "PulseAdapter", { manufacturer: "REL", version: [64] }),
    meter("saia-ale3", "Saia Burgess", "ALE3", "ElectricityMeter", {
      manufacturer: "SBC",
      version: [22, 18],
      medium: [2],
    }),
    meter("sensus-pollucom-e", "Sensus", "PolluCom E", "HeatMeter", { manufacturer: "SEN", version: [8], medium: [4] }),
    meter("sensus-pollustat", "Sensus", "PolluStat", "HeatMeter", { manufacturer: "SEN", version: [6], medium: [13] }),
    meter("sensus-pollustat-e", "Sensus", "PolluStat E", "HeatMeter", {
      manufacturer: "SEN",
      version: [14],
      medium: [4],
    }),
    meter("sensus-pollutherm", "Sensus", "PolluTherm", "HeatMeter", {
      manufacturer: "SEN",
      version: [11],
      medium: [4],
    }),
    meter("siemens-rvd235", "Siemens", "RVD235", "HeatingController", {
      manufacturer: "LSZ",
      version: [41],
      medium: [32],
    }),
    meter("sontex-supercal-531", "Sontex", "Supercal 531", "HeatMeter", {
      manufacturer: "SON",
      version: [13],
      medium: [4],
    }),
    meter("spanner-pollutherm", "Spanner-Pollux", "PolluTherm", "HeatMeter", {
      manufacturer: "SPX",
      version: [49],
      medium: [4],
    }),
    meter("svm-f2", "SVM", "F2", "HeatMeter", { manufacturer: "SVM", version: [8], medium: [4] }),
    meter("svm-f22", "SVM", "F22", "HeatMeter", { manufacturer: "SVM", version: [9], medium: [12] }),
  ],
};

export const mbusShelf = (own: readonly ProfileHead[] = []): ProductShelf =>
  createShelf(mbusProfiles, builtInMbus, own);
