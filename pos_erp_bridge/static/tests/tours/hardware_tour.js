// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { refresh } from "@point_of_sale/../tests/generic_helpers/utils";
import { isClosed, isTold, machine, press, printAgain, sees, sell, tour } from "@pos_erp_bridge/../tests/tours/hardware_util";

tour(
    "bridge_hardware_prints",
    sell,
    machine("papers/1"),
    machine("drawer"),
    isClosed,
    printAgain,
    machine("papers/2")
);

tour(
    "bridge_hardware_paper",
    machine("set/paper_end=true"),
    sell,
    sees("Out of paper."),
    sees("It is printed by itself as soon as that is put right."),
    press("Retry"),
    sees("Out of paper."),
    press("Continue"),
    isClosed,
    printAgain,
    sees("Out of paper."),
    press("Continue"),
    isClosed,
    machine("set/paper_end=false"),
    isTold("It is printed."),
    machine("papers/1")
);

tour(
    "bridge_hardware_away",
    machine("stop"),
    sell,
    sees("The hardware proxy cannot be reached at http://127.0.0.1:"),
    press("Continue"),
    isClosed,
    refresh(),
    { content: "the till is back", trigger: ".pos .pos-content" },
    machine("start"),
    isTold("It is printed."),
    machine("papers/1")
);

tour(
    "bridge_hardware_unknown",
    machine("set/drop_after=3000"),
    sell,
    sees("Did the paper come out?"),
    sees("The connection broke while printing."),
    press("Print again, marked 再発行"),
    isTold("It is printed."),
    isClosed
);

tour(
    "bridge_hardware_seen",
    machine("set/drop_after=3000"),
    sell,
    sees("Did the paper come out?"),
    press("It came out"),
    isClosed
);

tour(
    "bridge_hardware_unpaired",
    sell,
    sees("The hardware proxy is not connected yet."),
    press("Continue"),
    isClosed
);
