"""Why there is no result where somebody looks for it: the answer in one sentence.

| part          | what is in it                                                              |
|---------------|----------------------------------------------------------------------------|
| `explanation` | what is said: the cause, one sentence, since when, the cures, the evidence |
| `question`    | which studies are meant, and the answer that the records give              |
| `study`       | all that is to be said of one study                                        |
| `items`       | ... of one workitem, by its state                                          |
| `deliveries`  | ... of its way to the destinations, by the state of each delivery          |
| `absence`     | ... where nothing is known of what is looked for                           |
| `archives`    | what archives answer when they are asked whether they have it              |
| `known`       | what the records say about one study, read once                            |

Nothing here changes anything. Nothing that is said holds patient data.
"""
