// Built by tools/play_module.py from ../source; do not edit. Sources: 74886fb2b2c68a4f5b0249fadda6f549a86dffda4919e28f91677cc2dc1892c8
const WASM = "AGFzbQEAAAABMQZgAXwBfGAFf39/f38AYAN/f38AYAl/f39/f39/f38AYAd/f39/f39/AGAEf39/fwACJAMEbWF0aANzaW4AAARtYXRoA2NvcwAABG1hdGgFbG9nMXAAAAMJCAECAwEBAwQFBAUBcAEBAQUDAQAQBgkBfwFBgIDAAAsHFQIGbWVtb3J5AgAIZXZhbHVhdGUAAwraiwEI1FgPLn8HfAN/An0BewF9A3sFfQp/BXwCfwF9AX8HewV8I4CAgIAAQaCAAWsiBSSAgICAAAJAIAJBAUgNACAAQfABaiEGIABBtAFqIQcgACgCwAIoAgAhCEEAIQkDQCAAKAI4IQogACgCPCELIAQgCUHgAGwiDGoiDUEAIAQbIQ4gAyAJQQN0Ig9qIRACQAJAAkAgAiAJayIRIAggESAISBsiEkEBSCITDQBBACEUAkACQCASQQFGDQAgECERIBJB/v///wdxIhQhFQNAIBH9DAAAAAAAAAAAAAAAAAAAAAD9CwMAIBFBEGohESAVQX5qIhUNAAsgEiAURg0BCyADIA8gFEEDdGpqIREgEiAUayEVA0AgEUIANwMAIBFBCGohESAVQX9qIhUNAAsLAkAgDg0AQQAhFgwDCyASQQxsIhVBASAVQQFLGyEPAkAgFQ0AQQAhFAwCCyAPQXxxIhQhEQNAIA39DAAAAAAAAAAAAAAAAAAAAAD9CwMAIA1BEGohDSARQX5qIhENAAsgFSAURw0BQQEhFgwCCyAOQQBHIRYMAQsgBCAMIBRBA3RqaiERIBQgD2shFQNAIBFCADcDACARQQhqIRFBASEWIBVBAWoiFQ0ACwsCQCAAKAIAQQFIDQAgCiASbCALbCEXIAEgDGohGCASQQR0IRkgEkECdCEaIBJBGGwhGyAKIAtsIBJsIhFBAnQhHCARQQN0IR0gEUEMbCEeIBFBBHQhHyAAKAIEIRFBACEgA0ACQCARQQFIDQBBACEhQQAhIkEAISNBACEkQQAhJQNAICVBBHQhJiAgQQR0IScgACgCSCEIIAAoAjghDCAAKAI8IREgACgCKCEoIAAoAixBBmxBA2pBfHEhKSAAKALAAiEKAkAgEw0AIAggJ2ogJmohFCARIAxsISogESAMbCIRQQR0IisgKEEGbEEDakECdiIVbCEsIBEgJGwiLSAVbCEuIBFBGGwhLyARICNsITAgFUEEdCExQQAhKCAhITIDQAJAICpBAUgNACAYIChB4ABsaiERQQAhCCAtIQsgLiEMICohDwNAIAUgESsDGCARKwMQIAAoAkwgCGoiFUEQaisDACIzoiARKwMAIBUrAwAiNKIgESsDCCAVQQhqKwMAIjWioKC2u6C2uyI2OQMgIAUgESsDOCAzIBErAzCiIDQgESsDIKIgNSARKwMooqCgtrugtrsiNzkDKCAKKAIEIQ0gFCgCBCIVKwMIITggFSsDACE5IAUgESsDWCAzIBErA1CiIDQgESsDQKIgNSARKwNIoqCgtrugtrsiMzkDMCANIDBqIAhqIg0gFSsDGCAVKwMQIDOiIDkgNqIgOCA3oqCgtrugtrsiNDkDACANQQhqIjogFSsDOCAVKwMwIDOiIBUrAyAgNqIgFSsDKCA3oqCgtrugtrsiNTkDACANQRBqIjsgFSsDWCAVKwNQIDOiIBUrA0AgNqIgFSsDSCA3oqCgtrugtrsiNjkDACAKKAIIIAtqIjxEAAAAAICELsFEAAAAAICELkEgFCgCACIVKwMQIDaiIBUrAwAgNKIgFSsDCCA1oqCgtrsgNkQ6jDDijnlFPiA2RDqMMOKOeUU+ZBsiNqMiN7a7IjMgM0QAAAAAgIQuQWQbIDdEAAAAEICELsFjGzkDACA8QQhqRAAAAACAhC7BRAAAAACAhC5BIBUrAyggOysDAKIgFSsDGCANKwMAoiAVKwMgIDorAwCioKC2uyA2oyI2trsiNyA3RAAAAACAhC5BZBsgNkQAAAAQgIQuwWMbOQMAIAAoAjAhFQJAAkAgJUUNACAVRQ0BCyANIAVBIGogFRsgACgCKCAKKAIMIAxqEISAgIAACyALQRBqIQsgDCAxaiEMIAhBGGohCCAPQX9qIg8NAAsgACgCOCEMCwJAIAxBAUgNACAYIChB4ABsaiEVQQAhDUEAIQsDQCAFIBUrAxAgACgCUCANaiIRQRBqKwMAIjOiIBUrAwAgESsDACI0oiAVKwMIIBFBCGorAwAiNaKgoLa7IjY5AyAgBSAzIBUrAzCiIDQgFSsDIKIgNSAVKwMooqCgtrsiNzkDKCAFIDMgFSsDUKIgNCAVKwNAoiA1IBUrA0iioKC2uyIzOQMwIBQoAgQiESsDECAzoiARKwMAIDaiIBErAwggN6KgoLa7ITQCQCAAKAI0IghFDQAgESsDGCA0oLa7ITQLIAUgNDkDACARKwMwIDOiIBErAyAgNqIgESsDKCA3oqCgtrshNAJAIAhFDQAgESsDOCA0oLa7ITQLIAUgNDkDCCARKwNQIDOiIBErA0AgNqIgESsDSCA3oqCgtrshNgJAIAhFDQAgESsDWCA2oLa7ITYLIAUgNjkDECAAKAIwIRECQAJAICVFDQAgEUUNAQsgBSAFQSBqIBEbIAAoAiwgCigCECALIDIgDGxqIClsQQJ0ahCEgICAACAAKAI4IQwLIA1BGGohDSALQQFqIgsgDEgNAAsLIDJBAWohMiAwIC9qITAgLSAraiEtIC4gLGohLiAoQQFqIiggEkcNAAsgACgCLEEGbEEDakF8cSEpIAAoAighKCAAKAI8IREgACgCwAIhCiAAKAJIIQgLIAooAhwhCyAKKAIQIAwgEmwiFSApbCAlQQAgACgCMBsiLmxBAnRqICkgFSApIAAoAmggACgCHCINIAooAhQgDUEAEIWAgIAAIAsgDSAVIBFsIjIgJWwiKWxBAnRqIS0CQAJAIDJBAEoNACAKKAIYIQ8MAQsgCCAnaiAmaiExIA1BAnQhMCALIAwgEWwgDWwgImxqIQhBACE7A0AgCigCCCA7IClqQQR0aiI8KwMAITYgPCsDCCE3IDsgACgCPG0hEQJAIA1BAUgNACAKKAIUIBEgDWxBAnRqIRQgMSgCCCAAKAIQIhFBfmoiFUQAAAAAAAAAACARQX9qtyIzRAAAAAAAAPA/IAAoAhi3oyI0IDeiIjcgNyAzZBsgN0QAAAAAAAAAAGMbIjf8AiIRIBUgEUgbIhUgACgCFCIRbCARQX5qIgtEAAAAAAAAAAAgEUF/arciMyA0IDaiIjYgNiAzZBsgNkQAAAAAAAAAAGMbIjb8AiIMIAsgDEgbIjpqIA1sQQJ0aiILIBEgDWxBAnRqIgwgMGohDyA2IDq3obYiPSA3IBW3obYiPpT9EyE/QwAAgD8gPZMiQCA+lP0TIUFDAACAPyA+kyI+ID2U/RMhQiBAID6U/RMhQyALIDBqITpBACERQQAhFQNAIAggEWogFCARav0AAgAgDyARav0AAgAgP/3mASAMIBFq/QACACBB/eYBIAsgEWr9AAIAIEP95gEgQiA6IBFq/QACAP3mAf3kAf3kAf3kAf3kASAAKAKQASARav0AAgD95AH9CwIAIBFBEGohESAVQQRqIhUgDUgNAAsgPCsDCCE3IDwrAwAhNgsgCigCGCIPIDtBBHRqIgtDAACAP0QAAAAAAAAAACAAKAIIIhFBf2q3IjMgNyA3IDNkGyA3RAAAAAAAAAAAYxsiNyARQX5qIhEgN/wCIhUgESAVSBsiEbehtiJAkyJEQwAAgD9EAAAAAAAAAAAgACgCDCIVQX9qtyI3IDYgNiA3ZBsgNkQAAAAAAAAAAGMbIjYgFUF+aiIUIDb8AiIMIBQgDEgbIhS3obYiPZMiPiAxKAIMIBEgFWwgFGpBDGxqIhEqAgCUIBFBDGoqAgAgPZSSlCA+IBEgFUEMbGoiFSoCAJQgFUEMaioCACA9lJIgQJSSOAIAIAsgRCA+IBEqAgSUIBFBEGoqAgAgPZSSlCA+IBVBBGoqAgCUIBVBEGoqAgAgPZSSIECUkjgCBCARKgIIIUUgEUEUaioCACFGIBVBCGoqAgAhRyAVQRRqKgIAIUggC0EANgIMIAsgRCA+IEWUIEYgPZSSlCA+IEeUIEggPZSSIECUkjgCCCAIIDBqIQggO0EBaiI7IDJHDQALCyAPQQQgMkEEIAAoAnwgDSAtIA1BARCFgICAACAKKAIMIDIgKEEGbEEDakF8cSIRbCAubEECdGogESAyIBEgACgCVCANIC0gDUEBEIWAgIAAICIgGmohIiAhIBJqISEgIyAbaiEjICQgGWohJCAlQQFqIiUgACgCBCIRSA0ACwsgACgCJCEyIAAoApwBKAIQISkgACgCHCEPIAAoAsACIQwCQCAAKAIgQQFIDQAgESAXbCEIIBwgEWwgD2whCkEAIRVBACERQQAhDQNAIAAoApQBIBVqIAwoAhwgCCAMKAIkIBFqIAwoAiggEWoQhoCAgAAgFUE8aiEVIBEgCmohESANQQFqIg0gACgCIEgNAAsLIDJBAWohKAJAIA8gF2wiMEEBSA0AIBwgD2whDSAdIA9sIQsgHiAPbCEUIB8gD2whD0EAITtBACElA0AgDCgCHCIxICVBAnQiPGr9AAIAIT8CQCAAKAIEIjpBAkgNACA6QX9qIghBA3EhFUEBIRECQCA6QX5qQQNJDQAgMSA7aiERIAhBfHEhCkEAIQgDQCA/IBEgDWr9AAIA/eQBIBEgC2r9AAIA/eQBIBEgFGr9AAIA/eQBIBEgD2oiEf0AAgD95AEhPyAKIAhBBGoiCEcNAAsgFUUNASAIQQFqIRELIDEgOyANIBFsamohEQNAID8gEf0AAgD95AEhPyARIA1qIREgFUF/aiIVDQALCyAMKAIgIDxqID8gOrL9E/3nAf0LAgAgO0EQaiE7ICVBBGoiJSAwSA0ACwsgKSAobCE8AkAgMkEASA0AIClBAnQiMSAobCEUQQAhD0EAISUDQAJAIA9FDQAgACgCmAEgD0E8bGpBRGogDCgCICAXIAwoAiwgD0F/aiAwbEECdCIRaiAMKAIwIBFqEIaAgIAACyAAKAKcASAPQRRsaiENIAwoAjQiESAPIClsQQJ0aiE6IAwoAiAhOwJAAkAgF0EASg0AIA0oAhAhCgwBCyARICVqIQggDSgCECEKQQAhCwNAAkAgCkEBSA0AQQAhEUEAIRUDQCAIIBFqIA0oAgggEWr9AAIA/QsCACARQRBqIREgFUEEaiIVIA0oAhAiCkgNAAsLIAggFGohCCALQQFqIgsgF0cNAAsLIDsgDSgCDCIRIBcgESANKAIAIAogOiA8QQEQhYCAgAAgJSAxaiElIA8gMkYhESAPQQFqIQ8gEUUNAAsLIAAoAkAgDCgCNCIRIBEgDCgCOCA8IBdsEIeAgIAAIAwoAjwhDyAMKAI0ISUgACgCsAEiFCEIAkAgF0EBSA0AIBRBAnQhC0EAIQogDyENIBQhCANAAkAgCEEBSA0AQQAhEUEAIRUDQCANIBFqIAAoAqgBIBFq/QACAP0LAgAgEUEQaiERIBVBBGoiFSAAKAKwASIISA0ACwsgDSALaiENIApBAWoiCiAXRw0ACwsgJSAAKAKsASIRIBcgESAAKAKgASAIIA8gFEEBEIWAgIAAIAAoAkAgDCgCPCIRIBEgDCgCQCAAKAKwASAXbBCHgICAACAAKALYASEMIAAgByAAKALAAiIKKAI8IBIgCigCRCAKKAJIIAooAkwgCigCUCAKKAJkEIiAgIAAIAAgBiAKKAJkIhEgEiAKKAJUIAooAlggCigCXCAKKAJgIBEQiICAgAAgACgCRCAKKAJkIAooAmggCigCbCAMIBJsIjIQh4CAgAACQAJAAkACQCATDQAgDEECdCEPIAxBf2pBAnYiPEEBaiIRQf7///8HcSEwIBFBAXEhMSAAKAK0AioCACE9QQAhC0EQIRQDQAJAAkAgDEEBSCIlRQ0A/QwAAAAAAAAAAAAAAAAAAAAAIT8MAQsgCigCaCE6IAAoArACITsCQAJAIDwNAP0MAAAAAAAAAAAAAAAAAAAAACE/QQAhDQwBCyA6IBRqIRH9DAAAAAAAAAAAAAAAAAAAAAAhP0EAIQ0gMCEIIDshFQNAIBH9AAIAIBVBEGr9AAIA/eYBIBFBcGr9AAIAIBX9AAIA/eYBID/95AH95AEhPyAVQSBqIRUgEUEgaiERIA1BCGohDSAIQX5qIggNAAsgMUUNAQsgOiALIAxsQQJ0aiANQQJ0IhFq/QACACA7IBFq/QACAP3mASA//eQBIT8LIBAgC0EDdGoiESARKwMAID0gP/0fACA//R8BkiA//R8CID/9HwOSkpK7oDkDACAUIA9qIRQgC0EBaiILIBJGDQIMAAsLIBZFDQIMAQsgFkUNASAwQQJ0QXhqQXhxQQhqIQtBACEVQQAhCANAAkAgJQ0AAkACQCA8DQBBACERDAELQRAhESAwIQ0DQCAKKAJkIBVqIBFqQXBqIAAoArACIBFqQXBq/QACAP0LAgAgCigCZCAVaiARaiAAKAKwAiARav0AAgD9CwIAIBFBIGohESANQX5qIg0NAAsgCyERIDFFDQELIAooAmQgCCAMbEECdGogEUECdCIRaiAAKAKwAiARav0AAgD9CwIACyAVIA9qIRUgCEEBaiIIIBJHDQALCyAKKAJkIQsCQCAyQQFIDQAgCigCbCEUAkACQAJAIDJBf2pBAnYiEQ0AQQAhDAwBCyARQQFqIhFBAXEhDyARQf7///8HcSINQQJ0IQwgCyERIBQhFQNAIBEgFf0AAgAgEf0AAgD95gH9CwIAIBFBEGoiCCAVQRBq/QACACAI/QACAP3mAf0LAgAgEUEgaiERIBVBIGohFSANQX5qIg0NAAsgD0UNAQsgCyAMQQJ0IhFqIhUgFCARav0AAgAgFf0AAgD95gH9CwIACyAKKAJkIQsLIAYgCyASIAooAlggCigCYCAKKAJwIAooAnQQiYCAgAAgByAKKAJ0IBIgCigCSCAKKAJQIAooAnAgCigCPBCJgICAACAWRQ0AIAAoAgQhSSAAKAKcASgCECJKIAAoAiQiS0EBamwhTCAAKAIcIU0gACgCwAIiKSgCPCEKAkAgACgCsAEiESAXbCIVQQFIDQAgKSgCQCELAkACQAJAIBVBf2pBAnYiEQ0AQQAhFAwBCyARQQFqIhFBAXEhDCARQf7///8HcSINQQJ0IRQgCiERIAshFQNAIBEgFf0AAgAgEf0AAgD95gH9CwIAIBFBEGoiCCAVQRBq/QACACAI/QACAP3mAf0LAgAgEUEgaiERIBVBIGohFSANQX5qIg0NAAsgDEUNAQsgCiAUQQJ0IhFqIhUgCyARav0AAgAgFf0AAgD95gH9CwIACyAAKAKwASERICkoAjwhCgsgCiARIBcgESAAKAKkASAAKAKsASIVICkoAjQgFUEAEIWAgIAAAkAgTCAXbCIRQQFIDQAgKSgCOCEKICkoAjQhCwJAAkAgEUF/akECdiIRDQBBACEUDAELIBFBAWoiEUEBcSEMIBFB/v///wdxIg1BAnQhFCALIREgCiEVA0AgESAV/QACACAR/QACAP3mAf0LAgAgEUEQaiIIIBVBEGr9AAIAIAj9AAIA/eYB/QsCACARQSBqIREgFUEgaiEVIA1BfmoiDQ0ACyAMRQ0BCyALIBRBAnQiEWoiFSAKIBFq/QACACAV/QACAP3mAf0LAgALAkACQCBLQX9KDQAgTSAXbCEnDAELIBwgTWwiTiBLQX9qbCEkIE0gF2whJyBLIREDQCApKAI0IBEgSmxBAnRqIEwgFyAAKAKcASARQRRsaiIVKAIQIBUoAgQgFSgCDCIVICkoAiAgFSARIEtIEIWAgIAAIBFFDQEgEUF/aiEmAkAgF0EATA0AICkoAjAiFSAmICdsQQJ0Ig1qISogKSgCLCIIIA1qISMgACgCmAEgEUE8bGoiEUFQaigCACIlQQR0ISggCCAkaiEPIBFBVGooAgAiOkEEdCErIBUgJGohCCARQUhqISwgEUFcaiEvQQAhMCApKAIgIiEhFCAXITxBACE7A0AgISA7ICVsQQJ0Ii5qICUgFyA7ayIRQQQgEUEESBsiDCAlIC8oAgAgOiAFQSBqIDpBABCFgICAACAXIDBBAnRrIhFBBCARQQRIGyEyICogOyA6bEECdGohMSA8QQQgPEEESBshLQJAIAwgOmxBAUgNAAJAAkAgOiAybEF/akECdiIRDQBBACENDAELIDogLWxBf2pBAnZBAWpB/v///wdxIQogEUEBakEBcSEiQQAhDSAFQSBqIREgCCEVA0AgESAV/QACAP0MAAAAAAAAAAAAAAAAAAAAACI//UQgEf0ABAD9Tv0LBAAgEUEQaiILIBVBEGr9AAIAID/9RCAL/QAEAP1O/QsEACARQSBqIREgFUEgaiEVIA1BCGohDSAKQX5qIgoNAAsgIkUNAQsgBUEgaiANQQJ0IhFqIhUgMSARav0AAgD9DAAAAAAAAAAAAAAAAAAAAAD9RCAV/QAEAP1O/QsEAAsgBUEgaiA6IAwgOiAsKAIAICUgMSAlQQAQhYCAgAACQCAMICVsIgxBAUgNAAJAAkACQCAlIDJsQX9qQQJ2IhENAEEAIQ0MAQsgJSAtbEF/akECdkEBakH+////B3EhCiARQQFqQQFxITJBACERQQAhDQNAIAggEWoiFSAPIBFqIgv9AAIA/QwAAAAAAAAAAAAAAAAAAAAAIj/9RCAV/QACAP1O/QsCACAVQRBqIhUgC0EQav0AAgAgP/1EIBX9AAIA/U79CwIAIBFBIGohESANQQhqIQ0gCkF+aiIKDQALIDJFDQELIDEgDUECdCIRaiIVICMgLmogEWr9AAIA/QwAAAAAAAAAAAAAAAAAAAAA/UQgFf0AAgD9Tv0LAgALQQAhEUEAIRUDQCAUIBFqIg0gCCARav0AAgAgDf0AAgD95AH9CwIAIBFBEGohESAVQQRqIhUgDEgNAAsLIBQgKGohFCAPIChqIQ8gPEF8aiE8IAggK2ohCCAwQQFqITAgO0EEaiI7IBdIDQALCyAkIE5rISQgJiERDAALCwJAICdBAUgNACAcIE1sIQogACgCBCEVQQAhC0EAIQgDQAJAIBVBAUgNAEEAIQ0gCyERA0AgKSgCHCARaiApKAIgIAhBAnRq/QACACAVsv0T/ecB/QsCACARIApqIREgDUEBaiINIAAoAgQiFUgNAAsLIAtBEGohCyAIQQRqIgggJ0gNAAsLAkAgACgCICInQQFIDQAgHCBJbCBNbCJLICdBf2psISQgSSAXbCIwIE1sIUwDQCAnQX9qISYCQCAwQQFIDQAgKSgCKCIRIEwgJmxBAnQiFWohLCApKAIkIg0gFWohIyAAKAKUASAmQTxsaiItKAIMIiVBBHQhLiANICRqIQ8gLSgCECI6QQR0IS8gESAkaiEIQQAhMSApKAIcIiEhFCAwITxBACE7A0AgISA7ICVsQQJ0IitqICUgMCA7ayIRQQQgEUEESBsiDCAlIC0oAhggOiAFQSBqIDpBABCFgICAACAwIDFBAnRrIhFBBCARQQRIGyEoICwgOyA6bEECdGohMiA8QQQgPEEESBshKgJAIAwgOmxBAUgNAAJAAkAgOiAobEF/akECdiIRDQBBACENDAELIDogKmxBf2pBAnZBAWpB/v///wdxIQogEUEBakEBcSEiQQAhDSAFQSBqIREgCCEVA0AgESAV/QACAP0MAAAAAAAAAAAAAAAAAAAAACI//UQgEf0ABAD9Tv0LBAAgEUEQaiILIBVBEGr9AAIAID/9RCAL/QAEAP1O/QsEACARQSBqIREgFUEgaiEVIA1BCGohDSAKQX5qIgoNAAsgIkUNAQsgBUEgaiANQQJ0IhFqIhUgMiARav0AAgD9DAAAAAAAAAAAAAAAAAAAAAD9RCAV/QAEAP1O/QsEAAsgBUEgaiA6IAwgOiAtKAIEICUgMiAlQQAQhYCAgAACQCAMICVsIgxBAUgNAAJAAkACQCAlIChsQX9qQQJ2IhENAEEAIQ0MAQsgJSAqbEF/akECdkEBakH+////B3EhCiARQQFqQQFxIShBACERQQAhDQNAIAggEWoiFSAPIBFqIgv9AAIA/QwAAAAAAAAAAAAAAAAAAAAAIj/9RCAV/QACAP1O/QsCACAVQRBqIhUgC0EQav0AAgAgP/1EIBX9AAIA/U79CwIAIBFBIGohESANQQhqIQ0gCkF+aiIKDQALIChFDQELIDIgDUECdCIRaiIVICMgK2ogEWr9AAIA/QwAAAAAAAAAAAAAAAAAAAAA/UQgFf0AAgD9Tv0LAgALQQAhEUEAIRUDQCAUIBFqIg0gCCARav0AAgAgDf0AAgD95AH9CwIAIBFBEGohESAVQQRqIhUgDEgNAAsLIBQgLmohFCAPIC5qIQ8gPEF8aiE8IAggL2ohCCAxQQFqITEgO0EEaiI7IDBIDQALCyAkIEtrISQgJ0EBSiERICYhJyARDQALCyAAKAIEQQFIDQAgACgCOCEMQQAhT0EAIVADQCAAKAIsIREgACgCSCENIAAoAjAhLiAAKALAAiIiKAIcIi0gACgCPCAMbCI7IBJsIjogUGwiISAAKAIcIgtsQQJ0aiIwIAsgOiALIAAoAlggACgCKEEGbEEDakF8cSI8ICIoAnggPEEAEIWAgIAAIBFBBmxBA2ohUQJAIAsgEmwgACgCOGwiEUEBSA0AICIoAhQhCCARQX9qQQJ2QQFqIhVBA3EhCkEAIRQCQCARQQ1JDQAgFUH8////B3EiFUECdCEUIAghEQNAIBH9DAAAAAAAAAAAAAAAAAAAAAAiP/0LAgAgEUEwaiA//QsCACARQSBqID/9CwIAIBFBEGogP/0LAgAgEUHAAGohESAVQXxqIhUNAAsgCkUNAQsgCkEEdCEVIAggFEECdGohEQNAIBH9DAAAAAAAAAAAAAAAAAAAAAD9CwIAIBFBEGohESAVQXBqIhUNAAsLIA0gIEEEdGohKiBRQXxxISgCQCA6QQFIIisNACALQQJ0IQ8gLSA7IAtsIE9saiEUIAtBf2pBAnYiJUEBaiIRQQFxITEgEUH+////B3EiMkECdCEpQQAhCgNAIAogACgCPG0hEQJAIAtBAUgNACAiKAIUIBEgC2xBAnRqIQwCQAJAICUNAEEAIREMAQsgMiENIAwhESAUIRUDQCARIBX9AAIAIBH9AAIA/eQB/QsCACARQRBqIgggFUEQav0AAgAgCP0AAgD95AH9CwIAIBFBIGohESAVQSBqIRUgDUF+aiINDQALICkhESAxRQ0BCyAMIBFBAnQiEWoiFSAwIAogC2xBAnRqIBFq/QACACAV/QACAP3kAf0LAgALIBQgD2ohFCAKQQFqIgogOkcNAAsLIFBBACAuGyFSICogUEEEdGohKiAiKAIUIAsgACgCOCASbCALIAAoAmwgKCAiKAJ8IChBABCFgICAAAJAICsNACALQQJ0ISMgUiA6bCEkIAAoAgwiL0EMbCEmIAAoAggiEUF+aiEwIC9BfmohMSAAKAIQIhVBfmohKyAAKAIUIklBfmohLEQAAAAAAADwPyAAKAIYIg23oyFTIC0gOyALbCBPbGohDyARQX9qtyFUIC9Bf2q3IVUgFUF/archViBJQX9qtyFXIAAoAighJyAiKAJ4IUsgIigCDCFMICIoAgQhSiAqKAIAISUgACgCgAEhWCAqKAIMIU4gKigCCCFZICIoAgghTSANsiFaQQAhDCBJIAAoAhwiFGxBAnQhWwNAIFMgTSAMICFqIjJBBHRqIhErAwgiN6IiNiBWY0EBcyEpIDZEAAAAAAAAAABkQQFzISggUyARKwMAIjOiIjREAAAAAAAAAABkQQFzIDQgV2NBAXNyIS0CQAJAIBRBAUgiLkUNAP0MAAAAAAAAAAAAAAAAAAAAACI/IUEMAQsgWSArRAAAAAAAAAAAIFYgNiA2IFZkGyA2RAAAAAAAAAAAYxsiNvwCIhEgKyARSBsiCiBJbCAsRAAAAAAAAAAAIFcgNCA0IFdkGyA0RAAAAAAAAAAAYxsiNPwCIhEgLCARSBsiC2ogFGxBAnRqIhEgW2oiFSAUQQJ0IghqIQ0gESAIaiEIIDQgC7ehtiI9/RMhXCA2IAq3obYiPv0TIV1DAACAPyA9k/0TIV5DAACAPyA+k/0TIV9BACELIA8hCv0MAAAAAAAAAAAAAAAAAAAAACJBIT8DQCAK/QACACJCIBX9AAIAIkMgEf0AAgAiYP3lASBe/eYBIFwgDf0AAgAiYSAI/QACACJi/eUB/eYB/eQB/eYBID/95AEhPyBCIGIgYP3lASBf/eYBIF0gYSBD/eUB/eYB/eQB/eYBIEH95AEhQSARQRBqIREgCEEQaiEIIBVBEGohFSANQRBqIQ0gCkEQaiEKIAtBBGoiCyAUSA0ACwsgKCApciERRAAAAAAAAAAAIThEAAAAAAAAAAAhOQJAIC0NACBB/R8AIEH9HwGSIEH9HwIgQf0fA5KSIFqVuyE5CwJAIBENACA//R8AID/9HwGSID/9HwIgP/0fA5KSIFqVuyE4C/0MAAAAAAAAAAAAAAAAAAAAACE/AkAgLg0AIA8hESBYIRUgFCENA0AgEf0JAgAgFf0AAgD95gEgP/3kASE/IBFBBGohESAVQRBqIRUgDUF/aiINDQALCyBOIDBEAAAAAAAAAAAgVCA3IDcgVGQbIDdEAAAAAAAAAABjGyI2/AIiESAwIBFIGyINIC9sIDFEAAAAAAAAAAAgVSAzIDMgVWQbIDNEAAAAAAAAAABjGyI0/AIiESAxIBFIGyIIakEMbGoiESoCACFFIBEgJmoiFSoCACFGIBFBDGoqAgAhRyAVQQxqKgIAIUggNCAIt6G2IT1DAACAPyA2IA23obYiPpMhQCA3RAAAAAAAAAAAZEEBcyA3IFRjQQFzciENAkAgM0QAAAAAAAAAAGRBAXMgMyBVY0EBc3IiCA0AIDkgP/0fACBHIEWTIECUIEggRpMgPpSSlLugITkLQwAAgD8gPZMhRAJAIA0NACA4ID/9HwAgRiBFkyBElCBIIEeTID2UkpS7oCE4CyAVQRBqKgIAIUUgFUEEaioCACFGIBFBEGoqAgAhRyARKgIEIUgCQCAIDQAgOSA//R8BIEcgSJMgQJQgRSBGkyA+lJKUu6AhOQsCQCANDQAgOCA//R8BIEYgSJMgRJQgRSBHkyA9lJKUu6AhOAsgFUEUaioCACFFIBVBCGoqAgAhRiARQRRqKgIAIUcgESoCCCFIAkAgCA0AIDkgP/0fAiBHIEiTIECUIEUgRpMgPpSSlLugITkLAkAgDQ0AIDggP/0fAiBGIEiTIESUIEUgR5MgPZSSlLugITgLIEogMkEYbGorAxAiY0Q6jDDijnlFPiBjRDqMMOKOeUU+ZCIRGyFkRAAAAAAAAAAAITZEAAAAAAAAAAAhNUQAAAAAAAAAACE0AkAgM5lEAAAAAICELkFmDQAgOSAlKwMQoiBko0QAAAAAAAAAAKAhNiA5ICUrAwiiIGSjRAAAAAAAAAAAoCE1IDkgJSsDAKIgZKNEAAAAAAAAAACgITQgEUUNACA2IDMgOaIgY6OhITYLAkAgN5lEAAAAAICELkFmDQAgNiA4ICUrAyiiIGSjoCE2IDUgOCAlKwMgoiBko6AhNSA0IDggJSsDGKIgZKOgITQgEUUNACA2IDcgOKIgY6OhITYLIEwgDCAkaiA8bEECdGogSyAMIDxsQQJ0aiAnIAVBIGoQioCAgAAgBSsDICA0RAAAAAAAAAAAIAAoAjAiERugITcgBSsDMCEzIAUrAyghOAJAAkAgEQ0AIDNEAAAAAAAAAACgITMgOEQAAAAAAAAAAKAhOAwBCyA2IDOgITYgNSA4oCE1RAAAAAAAAAAAITggNyE0RAAAAAAAAAAAITdEAAAAAAAAAAAhMwsgKigCBCIVKwNQITkgFSsDECFkIBUrAzAhYyAVKwNIIWUgFSsDCCFmIBUrAyghZyAOIAwgO20iDUHgAGxqIhEgNyAVKwNAIDaiIBUrAwAgNKIgNSAVKwMgoqCgoCI3IAAoAkwgDCANIDtsa0EYbGoiFSsDAKIgESsDAKA5AwAgESA3IBUrAwiiIBErAwigOQMIIBEgNyAVKwMQoiARKwMQoDkDECARIDcgESsDGKA5AxggESA4IGUgNqIgZiA0oiA1IGeioKCgIjcgFSsDAKIgESsDIKA5AyAgESA3IBUrAwiiIBErAyigOQMoIBEgNyAVKwMQoiARKwMwoDkDMCARIDcgESsDOKA5AzggESAzIDkgNqIgZCA0oiA1IGOioKCgIjYgFSsDAKIgESsDQKA5A0AgESA2IBUrAwiiIBErA0igOQNIIBEgNiAVKwMQoiARKwNQoDkDUCARIDYgESsDWKA5A1ggDyAjaiEPIAxBAWoiDCA6Rw0ACwsCQCAAKAI4IgwgEmwiD0EBSA0AICIoAhAgGSBSbCAMbCBRQQJ2IhFsaiElIBFBBHQhOiAAKAIsITsgIigCfCE8QQAhDUEAIQhBACEKA0AgJSANaiA8IA1qIDsgBUEgahCKgICAAAJAAkAgACgCMA0AIAUrAzAhNiAFKwMoITcgBSsDICEzDAELICooAgQiESsDUCAFKwMwIjOiIBErAxAgBSsDICI0oiAFKwMoIjUgESsDMKKgoEQAAAAAAAAAAKAhNiARKwNIIDOiIBErAwggNKIgNSARKwMooqCgRAAAAAAAAAAAoCE3IBErA0AgM6IgESsDACA0oiARKwMgIDWioKBEAAAAAAAAAACgITMLIA4gCiAMbSIVQeAAbGoiESAzIAAoAlAgDCAVbEFobGogCGoiFSsDAKIgESsDAKA5AwAgESAzIBVBCGoiCysDAKIgESsDCKA5AwggESAzIBVBEGoiFCsDAKIgESsDEKA5AxAgESA3IBUrAwCiIBErAyCgOQMgIBEgNyALKwMAoiARKwMooDkDKCARIDcgFCsDAKIgESsDMKA5AzAgESA2IBUrAwCiIBErA0CgOQNAIBEgNiALKwMAoiARKwNIoDkDSCARIDYgFCsDAKIgESsDUKA5A1AgDSA6aiENIAhBGGohCCAPIApBAWoiCkcNAAsLIE8gGmohTyBQQQFqIlAgACgCBEgNAAsLIAAoAgQiESAgaiIgIAAoAgBIDQALIAAoAsACKAIAIQgLIAggCWoiCSACSA0ACwsgBUGggAFqJICAgIAAC88DAwN/AXwBfwJAIAFBAUgNACABQQxsIQNBACEEIAIhBQNAIAUgACsDAEEBIAR0t0QYLURU+yEJQKK2u6K2uyIGEICAgIAAtjgCACAFIANqIAYQgYCAgAC2OAIAIAVBDGohBSABIARBAWoiBEcNAAsgAUEMbCEDIAJBBGohBUEAIQQDQCAFIAArAwhBASAEdLdEGC1EVPshCUCitruitrsiBhCAgICAALY4AgAgBSADaiAGEIGAgIAAtjgCACAFQQxqIQUgASAEQQFqIgRHDQALIAFBDGwhAyACQQhqIQVBACEEA0AgBSAAKwMQQQEgBHS3RBgtRFT7IQlAora7ora7IgYQgICAgAC2OAIAIAUgA2ogBhCBgICAALY4AgAgBUEMaiEFIAEgBEEBaiIERw0ACwsCQCABQQZsIgBBA2pBfHEiBCAATA0AAkAgBCAAayIDQQRJDQAgAiAAQQJ0aiEFIAAgA0F8cSIHaiEAIAchAQNAIAX9DAAAAAAAAAAAAAAAAAAAAAD9CwIAIAVBEGohBSABQXxqIgENAAsgAyAHRg0BCyAAIARrIQEgAiAAQQJ0aiEFA0AgBUEANgIAIAVBBGohBSABQQFqIgENAAsLC88NBRR/CHsBfwZ7BH9BACEJAkAgAkEESA0AIAFBBHQhCiAFQQJ0IQsgB0EMbCEMIAdBA3QhDSAAIAFBDGwiDmohDyAAIAFBA3QiEGohESAAIAFBAnQiEmohE0EAIQkgBUEISCEUIAAhFUEEIRYDQCAJIRcgFiEJQQAhGAJAIBQNACAGIBcgB2xBAnRqIRlBACEWQQghGiAEIRsDQCAaIRggGSAWQQJ0aiEcAkACQCAIDQD9DAAAAAAAAAAAAAAAAAAAAAAiHSEeIB0hHyAdISAgHSEhIB0hIiAdISMgHSEkDAELIBwgDGoiFv0AAhAhJCAW/QACACEjIBwgDWoiFv0AAhAhHSAW/QACACEeIBwgB0ECdGoiFv0AAhAhIiAW/QACACEhIBz9AAIQIR8gHP0AAgAhIAsCQCADQQFIDQAgFSEWIAMhJSAbIRoDQCAWIA5q/QkCACImIBpBEGr9AAIAIif95gEgJP3kASEkIBYgEGr9CQIAIiggJ/3mASAd/eQBIR0gFiASav0JAgAiKSAn/eYBICL95AEhIiAW/QkCACIqIBr9AAIAIiv95gEgIP3kASEgICYgK/3mASAj/eQBISMgKCAr/eYBIB795AEhHiApICv95gEgIf3kASEhICogJ/3mASAf/eQBIR8gFkEEaiEWIBogC2ohGiAlQX9qIiUNAAsLIBwgH/0LAhAgHCAg/QsCACAcIAdBAnRqIhYgIv0LAhAgFiAh/QsCACAcIA1qIhYgHf0LAhAgFiAe/QsCACAcIAxqIhYgJP0LAhAgFiAj/QsCACAbQSBqIRsgGCEWIBhBCGoiGiAFTA0ACwsCQCAYIAVODQAgBCAYQQJ0aiEcIBcgB2xBAnQhLCAXQQFyIAdsQQJ0IS0gF0ECciAHbEECdCEuIBdBA3IgB2xBAnQhLwNAIAYgGEECdGoiGyAsaiEXAkACQCAIDQD9DAAAAAAAAAAAAAAAAAAAAAAhJwwBCyAX/QACACEnCwJAIANBAUgiGQ0AIBUhFiAcIRogAyElA0AgFv0JAgAgGv0AAgD95gEgJ/3kASEnIBZBBGohFiAaIAtqIRogJUF/aiIlDQALCyAXICf9CwIAIBsgLWohFwJAAkAgCA0A/QwAAAAAAAAAAAAAAAAAAAAAIScMAQsgF/0AAgAhJwsCQCAZDQAgEyEWIBwhGiADISUDQCAW/QkCACAa/QACAP3mASAn/eQBIScgFkEEaiEWIBogC2ohGiAlQX9qIiUNAAsLIBcgJ/0LAgAgGyAuaiEXAkACQCAIDQD9DAAAAAAAAAAAAAAAAAAAAAAhJwwBCyAX/QACACEnCwJAIBkNACARIRYgHCEaIAMhJQNAIBb9CQIAIBr9AAIA/eYBICf95AEhJyAWQQRqIRYgGiALaiEaICVBf2oiJQ0ACwsgFyAn/QsCACAbIC9qIRsCQAJAIAgNAP0MAAAAAAAAAAAAAAAAAAAAACEnDAELIBv9AAIAIScLAkAgGQ0AIA8hFiAcIRogAyElA0AgFv0JAgAgGv0AAgD95gEgJ/3kASEnIBZBBGohFiAaIAtqIRogJUF/aiIlDQALCyAbICf9CwIAIBxBEGohHCAYQQRqIhggBUgNAAsLIA8gCmohDyARIApqIREgEyAKaiETIBUgCmohFSAJQQRqIhYgAkwNAAsLAkAgCSACTg0AIAFBAnQhGSAFQQJ0ISUgACAJIAFsQQJ0aiEYIAVBCEghFyADQQFIIRwDQEEAIQ4CQCAXDQAgBiAJIAdsQQJ0aiEbQQAhFkEIIQsgBCESA0AgCyEOIBsgFkECdGohEAJAAkAgCA0A/QwAAAAAAAAAAAAAAAAAAAAAIichKwwBCyAQ/QACECErIBD9AAIAIScLAkAgHA0AIBghCyADIRogEiEWA0AgC/0JAgAiHSAW/QACAP3mASAn/eQBIScgHSAWQRBq/QACAP3mASAr/eQBISsgC0EEaiELIBYgJWohFiAaQX9qIhoNAAsLIBAgK/0LAhAgECAn/QsCACASQSBqIRIgDiEWIA5BCGoiCyAFTA0ACwsCQCAOIAVODQAgBCAOQQJ0aiEQIAYgCSAHbEECdGohGwNAIBsgDkECdGohEgJAAkAgCA0A/QwAAAAAAAAAAAAAAAAAAAAAIScMAQsgEv0AAgAhJwsCQCAcDQAgGCEWIBAhCyADIRoDQCAW/QkCACAL/QACAP3mASAn/eQBIScgFkEEaiEWIAsgJWohCyAaQX9qIhoNAAsLIBIgJ/0LAgAgEEEQaiEQIA5BBGoiDiAFSA0ACwsgGCAZaiEYIAlBAWoiCSACRw0ACwsLwQcDBn8CewZ/AkAgACgCDCIFIAJsIgZBAUgNAAJAAkAgBkF/akECdiIGDQBBACEHDAELIAZBAWoiBkEBcSEIIAZB/v///wdxIglBAnQhByADIQYgASEKA0AgBiAK/QACAP0MAAAAAAAAAAAAAAAAAAAAACIL/esB/QzmsWF/5rFhf+axYX/msWF/Igz96gH9CwIAIAZBEGogCkEQav0AAgAgC/3rASAM/eoB/QsCACAGQSBqIQYgCkEgaiEKIAlBfmoiCQ0ACyAIRQ0BCyADIAdBAnQiBmogASAGav0AAgD9DAAAAAAAAAAAAAAAAAAAAAD96wH9DOaxYX/msWF/5rFhf+axYX/96gH9CwIACyAAKAIQIg0hBwJAIAJBAUgNACANQQJ0IQ5BACEIIAQhCSANIQcDQAJAIAdBAUgNAEEAIQZBACEKA0AgCSAGaiAAKAIIIAZq/QACAP0LAgAgBkEQaiEGIApBBGoiCiAAKAIQIgdIDQALCyAJIA5qIQkgCEEBaiIIIAJHDQALCyADIAAoAgwiBiACIAYgACgCACAHIAQgDUEBEIWAgIAAAkAgACgCECACbCIGQQFIDQACQAJAIAZBf2pBAnYiBg0AQQAhBwwBCyAGQQFqIgZBAXEhCCAGQf7///8HcSIKQQJ0IQcgBCEGA0AgBiAG/QACAP0MAAAAAAAAAAAAAAAAAAAAACIL/esB/QzmsWF/5rFhf+axYX/msWF/Igz96gH9CwIAIAZBEGoiCSAJ/QACACAL/esBIAz96gH9CwIAIAZBIGohBiAKQX5qIgoNAAsgCEUNAQsgBCAHQQJ0aiIGIAb9AAIA/QwAAAAAAAAAAAAAAAAAAAAA/esB/QzmsWF/5rFhf+axYX/msWF//eoB/QsCAAsCQCACQQFIDQAgBUECdCEDIAVBf2pBAnYiD0EBaiIGQQFxIRAgBkH+////B3EiEUECdCESQQAhCCABIQ4DQAJAIAVBAUgNACAAKAIcIQ0CQAJAIA8NAEEAIQYMAQsgESEJIA4hBiANIQoDQCAGIAr9AAIAIAb9AAIA/eQB/QsCACAGQRBqIgcgCkEQav0AAgAgB/0AAgD95AH9CwIAIAZBIGohBiAKQSBqIQogCUF+aiIJDQALIBIhBiAQRQ0BCyABIAggBWxBAnRqIAZBAnQiBmoiCiANIAZq/QACACAK/QACAP3kAf0LAgALIA4gA2ohDiAIQQFqIgggAkcNAAsLIAQgACgCICIGIAIgBiAAKAIUIAUgASAFQQEQhYCAgAAL5AwEA38PewJ/AXwjgICAgABBwABrIgUkgICAgAACQCAEQQFIDQBBACEGA0AgASAGQQJ0Igdq/QACACII/QwAAAAAAAAAAAAAAAAAAAAAIgn96wH9DOaxYX/msWF/5rFhf+axYX/96gEhCgJAAkACQAJAAkAgAA4DAAIBAwsgCiAI/QwAACDCAAAgwgAAIMIAACDC/esBIAn96gEiC/0MO6q4PzuquD87qrg/O6q4P/3mAf0MAAAAPwAAAD8AAAA/AAAAPyIM/eQB/WgiCf0Mg4BeOYOAXjmDgF45g4BeOf3mASALIAn9DACAMb8AgDG/AIAxvwCAMb/95gH95AH95AEiCyALIAsgCyALIAv9DGdpUDlnaVA5Z2lQOWdpUDn95gH9DM5DtzrOQ7c6zkO3Os5Dtzr95AH95gH9DAiJCDwIiQg8CIkIPAiJCDz95AH95gH9DMGpKj3BqSo9wakqPcGpKj395AH95gH9DKqqKj6qqio+qqoqPqqqKj795AH95gEgDP3kAf3mASAL/eYBIAv95AH9DAAAgD8AAIA/AACAPwAAgD/95AEgCf34AUEX/asB/QwAAIA/AACAPwAAgD8AAIA//a4B/eYBIgn95AH9DAAAgL8AAIC/AACAvwAAgL/95AEhCwwDCyAI/QwAAIA/AACAPwAAgD8AAIA/IgogCiAKIAj94QH9DAAAoMIAAKDCAACgwgAAoML96wH9DAAAoEIAAKBCAACgQgAAoEL96gEiC/0MO6q4PzuquD87qrg/O6q4P/3mAf0MAAAAPwAAAD8AAAA/AAAAPyIM/eQB/WgiCf0Mg4BeOYOAXjmDgF45g4BeOf3mASALIAn9DACAMb8AgDG/AIAxvwCAMb/95gH95AH95AEiCyALIAsgCyALIAv9DGdpUDlnaVA5Z2lQOWdpUDn95gH9DM5DtzrOQ7c6zkO3Os5Dtzr95AH95gH9DAiJCDwIiQg8CIkIPAiJCDz95AH95gH9DMGpKj3BqSo9wakqPcGpKj395AH95gH9DKqqKj6qqio+qqoqPqqqKj795AH95gEgDP3kAf3mASAL/eYBIAv95AH95AEgCf34AUEX/asB/QwAAIA/AACAPwAAgD8AAIA//a4B/eYB/eQB/ecBIgn95gEiCyAKIAn95QH95gEgCf3kASEJDAILIAogCv3kASAI/eUBIAn96wH9DAAAoEIAAKBCAACgQgAAoEIiDf3qASIJ/Qw7qri/O6q4vzuquL87qri//eYB/QwAAAA/AAAAPwAAAD8AAAA/Ig795AH9aCIM/QyDgF45g4BeOYOAXjmDgF45Ig/95gEgDP0MAIAxvwCAMb8AgDG/AIAxvyIQ/eYBIAn95QH95AEiCSAJIAkgCSAJIAn9DGdpUDlnaVA5Z2lQOWdpUDkiEf3mAf0MzkO3Os5DtzrOQ7c6zkO3OiIS/eQB/eYB/QwIiQg8CIkIPAiJCDwIiQg8IhP95AH95gH9DMGpKj3BqSo9wakqPcGpKj0iFP3kAf3mAf0MqqoqPqqqKj6qqio+qqoqPiIV/eQB/eYBIA795AH95gEgCf3mASAJ/eQBIQkgDP34AUEX/asB/QwAAIA/AACAPwAAgD8AAIA/Ihb9rgEhDEEAIRcDQCAFIAn9CwQQIAUgDP0LBCAgBSAK/QsEACAFIAv9CwQwIAVBIGogF0ECdEEMcSIYcioCACAFQRBqIBhyKgIAQwAAgD+SlLsQgoCAgAAhGSAFQTBqIBhyIAUgGHIqAgAgGbaSOAIAIAX9AAQwIQsgF0EBaiIXQQRHDQAL/QwAAIA/AACAPwAAgD8AAIA/IgkgCSAJIAj94QH9DAAAoMIAAKDCAACgwgAAoML96wEgDf3qASIK/Qw7qrg/O6q4PzuquD87qrg//eYBIA795AH9aCIMIA/95gEgCiAMIBD95gH95AH95AEiCiAKIAogCiAKIAogEf3mASAS/eQB/eYBIBP95AH95gEgFP3kAf3mASAV/eQB/eYBIA795AH95gEgCv3mASAK/eQB/eQBIAz9+AFBF/2rASAW/a4B/eYB/eQB/ecBIQkMAQsgCCAJ/UT9DAAAgD8AAIA/AACAPwAAgD/9TiEJIAohCwsgAiAHaiAL/QsCACADIAdqIAn9CwIAIAZBBGoiBiAESA0ACwsgBUHAAGokgICAgAALzAUBCX8gASgCJCEJIAEoAhAhCiAAKAJAIAIgBCAFIAEoAgwiCyADbBCHgICAAEEAIQwCQAJAIANBAEoNACABKAIQIQ0MAQsgCkECdCEOIAEoAhAhDSAGIQ8DQAJAIA1BAUgNAEEAIQVBACEQA0AgDyAFaiABKAIIIAVq/QACAP0LAgAgBUEQaiEFIBBBBGoiECABKAIQIg1IDQALCyAPIA5qIQ8gDEEBaiIMIANHDQALCyAEIAEoAgwiBSADIAUgASgCACANIAYgCkEBEIWAgIAAIAAoAkAgBiAGIAcgCiADbBCHgICAAAJAIAEoAigNAAJAIANBAUgNACAJQQJ0IQQgCUF/akECdiICQQFqIgVBAXEhCyAFQf7///8HcSIHQQJ0IRFBACEMIAghDgNAAkAgCUEBSA0AIAEoAhwhAAJAAkAgAg0AQQAhBQwBCyAHIQ8gDiEFIAAhEANAIAUgEP0AAgAgBf0AAgD95AH9CwIAIAVBEGoiDSAQQRBq/QACACAN/QACAP3kAf0LAgAgBUEgaiEFIBBBIGohECAPQX5qIg8NAAsgESEFIAtFDQELIAggDCAJbEECdGogBUECdCIFaiIQIAAgBWr9AAIAIBD9AAIA/eQB/QsCAAsgDiAEaiEOIAxBAWoiDCADRw0ACwsgBiAKIAMgCiABKAIUIAkgCCAJQQEQhYCAgAAPC0EAIQwCQAJAIANBAEoNACABKAIkIQ0MAQsgCUECdCEOIAEoAiQhDSAIIQ8DQAJAIA1BAUgNAEEAIQVBACEQA0AgDyAFaiABKAIcIAVq/QACAP0LAgAgBUEQaiEFIBBBBGoiECABKAIkIg1IDQALCyAPIA5qIQ8gDEEBaiIMIANHDQALCyAGIAEoAiAiBSADIAUgASgCFCANIAggCUEBEIWAgIAAIAIgCyADIAsgASgCKCAJIAggCUEBEIWAgIAAC70EAQl/IAAoAgwhByAAKAIQIQggASAAKAIkIgkgAiAJIAAoAhggACgCICIKIAUgCkEAEIWAgIAAAkAgCCACbCIKQQFIDQBBACELAkAgCkF/akECdiIKRQ0AIApBAWoiCkEBcSEMIApB/v///wdxIg1BAnQhCyAFIQogBCEOA0AgCiAO/QACACAK/QACAP3mAf0LAgAgCkEQaiIPIA5BEGr9AAIAIA/9AAIA/eYB/QsCACAKQSBqIQogDkEgaiEOIA1BfmoiDQ0ACyAMRQ0BCyAFIAtBAnQiCmoiDiAEIApq/QACACAO/QACAP3mAf0LAgALIAUgCCACIAAoAhAgACgCBCAAKAIMIgogBiAKQQAQhYCAgAACQAJAAkAgByACbCIFQQFIDQACQAJAAkAgBUF/akECdiIKDQBBACEIDAELIApBAWoiCkEBcSEEIApB/v///wdxIg1BAnQhCCAGIQogAyEOA0AgCiAO/QACACAK/QACAP3mAf0LAgAgCkEQaiIPIA5BEGr9AAIAIA/9AAIA/eYB/QsCACAKQSBqIQogDkEgaiEOIA1BfmoiDQ0ACyAERQ0BCyAGIAhBAnQiCmoiDiADIApq/QACACAO/QACAP3mAf0LAgALIAAoAigNAUEAIQoDQCAGIAH9AAIAIAb9AAIA/eQB/QsCACABQRBqIQEgBkEQaiEGIApBBGoiCiAFSA0ADAMLCyAAKAIoRQ0BCyABIAkgAiAJIAAoAiwgByAGIAdBARCFgICAAAsLqQMDAn8BfAJ/IANCADcDAAJAIAJBAUgNACACQQxsIQRBACEFRAAAAAAAAAAAIQYgACEHIAEhCANAQQEgBXS3RBgtRFT7IQlAoiAHIARqKgIAuyAIKgIAu6IgByoCALsgCCAEaioCALuioaIgBqAhBiAHQQxqIQcgCEEMaiEIIAIgBUEBaiIFRw0ACyADIAY5AwAgAEEEaiEHIAFBBGohCCACQQxsIQRBACEFRAAAAAAAAAAAIQYDQEEBIAV0t0QYLURU+yEJQKIgByAEaioCALsgCCoCALuiIAcqAgC7IAggBGoqAgC7oqGiIAagIQYgB0EMaiEHIAhBDGohCCACIAVBAWoiBUcNAAsgAyAGOQMIIABBCGohByABQQhqIQggAkEMbCEEQQAhBUQAAAAAAAAAACEGA0BBASAFdLdEGC1EVPshCUCiIAcgBGoqAgC7IAgqAgC7oiAHKgIAuyAIIARqKgIAu6KhoiAGoCEGIAdBDGohByAIQQxqIQggAiAFQQFqIgVHDQALIAMgBjkDEA8LIAP9DAAAAAAAAAAAAAAAAAAAAAD9CwMICw==";
const WORKER_SOURCE = "// --- container.js\n// Arrays as dgrasp/report/play/container.py writes them: a safetensors file, compressed with gzip, with rounded numbers\n// as byte planes of differences.\n\nconst FORMAT = 1;\nconst READERS = {\n  F64: Float64Array, F32: Float32Array, U8: Uint8Array, I32: Int32Array, U32: Uint32Array, U16: Uint16Array,\n};\n\n/** What is wrong with a file, in words for the reader. */\nclass FileProblem extends Error {}\n\n/** What this browser lacks, in words; wanted: {name: words}. */\nconst lacking = (wanted) => Object.entries(wanted).filter(([name]) => !(name in globalThis)).map(([, text]) => text);\n\n/** Bytes of base64. */\nconst decoded = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));\n\nconst DIGITS = \"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~\";\nconst DIGIT = new Int8Array(128).fill(-1);\n[...DIGITS].forEach((character, value) => (DIGIT[character.charCodeAt(0)] = value));\n\n/** Bytes of base85 as Python writes it: 1.25 characters a byte, where base64 takes 1.33. Throws for other characters. */\nfunction decoded85(text) {\n  const missing = (5 - text.length % 5) % 5;\n  const whole = text + DIGITS.at(-1).repeat(missing);\n  const bytes = new Uint8Array(whole.length / 5 * 4);\n  const view = new DataView(bytes.buffer);\n  let strange = 0;\n  for (let i = 0; i < whole.length; i += 5) {\n    let word = 0;\n    for (let k = i; k < i + 5; k++) {\n      const digit = DIGIT[whole.charCodeAt(k) & 127];\n      strange |= digit; // negative from the first such character on\n      word = word * 85 + digit;\n    }\n    view.setUint32(i / 5 * 4, word);\n  }\n  if (strange < 0) throw new RangeError(\"no base85\");\n  return bytes.subarray(0, bytes.length - missing);\n}\n\n/** The decompressed bytes of a file; gzip's own checksum finds damage. */\nasync function inflate(bytes) {\n  try {\n    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(\"gzip\"));\n    return await new Response(stream).arrayBuffer();\n  } catch (error) {\n    throw new FileProblem(`the file is damaged or incomplete (${bytes.byteLength} bytes arrived); load the page again`);\n  }\n}\n\n/** A loader that asks once for a file that is on its way, and gives its bytes to all who want it. */\nfunction askingOnce(load) {\n  const open = new Map();\n  return (kind, id) => {\n    const key = `${kind} ${id}`;\n    if (!open.has(key)) open.set(key, load(kind, id).finally(() => open.delete(key)));\n    return open.get(key);\n  };\n}\n\n/** What a decompressed file says, and its arrays by name: {facts, arrays: {name: {data, shape}}}. */\nfunction readFile(buffer, kind) {\n  const header = headerOf(buffer);\n  const facts = JSON.parse(header.__metadata__?.dgrasp ?? \"{}\");\n  if (facts.format !== FORMAT) {\n    throw new FileProblem(`the file has format ${facts.format}, this page reads format ${FORMAT}; export it again`);\n  }\n  if (facts.kind !== kind) throw new FileProblem(`expected a ${kind}, the file holds a ${facts.kind}`);\n  const arrays = {};\n  const start = 8 + Number(new DataView(buffer).getBigUint64(0, true));\n  for (const [name, entry] of Object.entries(header)) {\n    if (name !== \"__metadata__\") arrays[name] = arrayOf(buffer, start, name, entry);\n  }\n  return { facts, arrays };\n}\n\nfunction headerOf(buffer) {\n  try {\n    const length = Number(new DataView(buffer).getBigUint64(0, true));\n    return JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));\n  } catch (error) {\n    throw new FileProblem(\"the file is no safetensors file; load the page again\");\n  }\n}\n\nfunction arrayOf(buffer, start, name, { dtype, shape, data_offsets: [first, last] }) {\n  const Reader = READERS[dtype];\n  if (!Reader || start + last > buffer.byteLength) {\n    throw new FileProblem(`array ${name}: ${Reader ? \"reaches beyond the file\" : `unknown type ${dtype}`}`);\n  }\n  return { data: new Reader(buffer.slice(start + first, start + last)), shape };\n}\n\n/** The numbers of a rounded array, written to `target` channels last, rows of `width` (or as many as there are). */\nfunction unroundInto(file, name, target, width) {\n  const planes = file.arrays[`${name}.planes`];\n  const [count, channels, rows] = planes.shape;\n  const low = file.arrays[`${name}.low`].data, step = file.arrays[`${name}.step`].data;\n  const mask = 2 ** (8 * count) - 1, size = channels * rows, stride = width ?? channels;\n  for (let c = 0; c < channels; c++) {\n    let whole = 0;\n    for (let row = 0, at = c * rows; row < rows; row++, at++) {\n      let difference = 0;\n      for (let k = 0; k < count; k++) difference |= planes.data[k * size + at] << (8 * k);\n      whole = (whole + difference) & mask;\n      target[row * stride + c] = low[c] + step[c] * whole;\n    }\n  }\n}\n\n/** An array by name, rounded or not: {data, shape}. */\nfunction arrayNamed(file, name) {\n  if (file.arrays[name]) return file.arrays[name];\n  const shape = file.facts.rounded?.[name];\n  if (!shape) throw new FileProblem(`array ${name} is missing in the file`);\n  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));\n  unroundInto(file, name, data);\n  return { data, shape };\n}\n\n/** Whether the file has an array of that name. */\nfunction hasArray(file, name) {\n  return name in file.arrays || name in (file.facts.rounded ?? {});\n}\n\n// --- kernel.js\n// The landscape of one model over one scene, computed by landscape.c: lays the weights and maps out in WebAssembly's\n// memory and asks for scores and slopes. Knows nothing of workers or of the page.\n\n\nconst ACTIVATIONS = [\"elu\", \"softplus\", \"silu\", \"relu\"]; // the order of landscape.c\nconst POSES_AT_ONCE = 4; // by measurement: all intermediate results of four poses stay in the processor's cache\nconst PAGE = 65536;\n\n/** Memory of a WebAssembly instance, given away from its start to its end; `release` takes back all after a mark. */\nclass Memory {\n  constructor(memory) {\n    this.memory = memory;\n    this.top = memory.buffer.byteLength;\n  }\n\n  take(bytes) {\n    const at = (this.top + 15) & ~15;\n    this.top = at + bytes;\n    const missing = this.top - this.memory.buffer.byteLength;\n    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));\n    return at;\n  }\n\n  release(mark) {\n    this.top = mark;\n  }\n\n  floats(n) {\n    return this.take(4 * n);\n  }\n\n  view(Type, at, n) {\n    return new Type(this.memory.buffer, at, n);\n  }\n\n  put(Type, values) {\n    const at = this.take(Type.BYTES_PER_ELEMENT * values.length);\n    this.view(Type, at, values.length).set(values);\n    return at;\n  }\n}\n\nconst padded = (n) => (n + 3) & ~3;\n\n/** Compiled landscape.c with the models and the scene that it was given. */\nclass Kernel {\n  constructor(module) {\n    const math = { sin: Math.sin, cos: Math.cos, log1p: Math.log1p };\n    this.instance = new WebAssembly.Instance(module, { math });\n    this.memory = new Memory(this.instance.exports.memory);\n    this.models = {};\n    this.scene = null;\n  }\n\n  /** Keep a model's weights. file: as `readFile` gives it. */\n  addModel(name, file) {\n    if (this.scene) throw new Error(\"models come before the scene: scenes are laid out behind them\");\n    this.models[name] = { file, ...this.network(file) };\n  }\n\n  /** Forget the scene, and take another one. */\n  setScene(file) {\n    if (this.scene) this.memory.release(this.scene.mark);\n    this.scene = { file, mark: this.memory.top, landscapes: {} };\n    this.scene.cameras = this.cameras(file);\n    for (const name of Object.keys(this.models)) this.scene.landscapes[name] = this.landscape(name);\n  }\n\n  /** Forget the scene; models may be added again. */\n  clearScene() {\n    if (this.scene) this.memory.release(this.scene.mark);\n    this.scene = null;\n  }\n\n  /** Scores (n) and, if asked for, slopes (n * 12) of poses (n * 12: rows of the first three lines of T_world_tcp). */\n  evaluate(name, poses, withSlopes) {\n    const n = poses.length / 12, m = this.memory, mark = m.top;\n    const T = m.put(Float64Array, Float32Array.from(poses)), scores = m.take(8 * n), slopes = withSlopes ? m.take(96 * n) : 0;\n    this.instance.exports.evaluate(this.scene.landscapes[name], T, n, scores, slopes);\n    const result = {\n      scores: m.view(Float64Array, scores, n).slice(),\n      slopes: withSlopes ? m.view(Float64Array, slopes, 12 * n).slice() : null,\n    };\n    m.release(mark);\n    return result;\n  }\n\n  /** Weights of a file as structs of landscape.c. */\n  network(file) {\n    const { field } = file.facts;\n    const count = (kind, n) => Array.from({ length: n }, (_, k) => `${kind}.${k}`);\n    const shared = count(\"shared\", field.blocks_shared);\n    return {\n      position: this.layer(file, \"position\"),\n      direction: this.layer(file, \"direction\"),\n      rgb: this.layer(file, \"rgb\"),\n      bias: this.memory.put(Float32Array, arrayNamed(file, \"first.bias\").data),\n      perView: this.structs(count(\"per_view\", field.blocks_per_view).map((name) => this.block(file, name))),\n      shared: this.structs(shared.map((name) => this.block(file, name))),\n      perActivation: this.structs(count(\"per_activation\", 1 + shared.length).map((name) => this.layer(file, name))),\n      perQuery: this.layer(file, \"per_query\"),\n      wide: this.block(file, \"wide\"),\n      narrow: this.block(file, \"narrow\"),\n      logit: this.layer(file, \"logit\"),\n      points: this.memory.put(Float64Array, file.arrays.points.data),\n      directions: this.memory.put(Float64Array, file.arrays.directions.data),\n    };\n  }\n\n  /** struct layer {to, back, bias, inputs, outputs}: both layouts of a matrix, padded to multiples of 4. */\n  layer(file, name) {\n    const { data, shape: [outputs, inputs] } = arrayNamed(file, name);\n    const n = padded(outputs), k = padded(inputs), m = this.memory;\n    const to = m.floats(n * k), back = m.floats(n * k), bias = m.floats(n);\n    const [a, b, c] = [m.view(Float32Array, to, n * k), m.view(Float32Array, back, n * k), m.view(Float32Array, bias, n)];\n    a.fill(0), b.fill(0), c.fill(0);\n    for (let o = 0; o < outputs; o++) {\n      for (let i = 0; i < inputs; i++) a[i * n + o] = b[o * k + i] = data[o * inputs + i];\n    }\n    if (hasArray(file, `${name}.bias`)) c.set(arrayNamed(file, `${name}.bias`).data);\n    return [to, back, bias, k, n];\n  }\n\n  /** struct block {inner, outer, shortcut}. */\n  block(file, name) {\n    const shortcut = hasArray(file, `${name}.shortcut`) ? this.layer(file, `${name}.shortcut`) : [0, 0, 0, 0, 0];\n    return [...this.layer(file, `${name}.inner`), ...this.layer(file, `${name}.outer`), ...shortcut];\n  }\n\n  structs(rows) {\n    return this.memory.put(Int32Array, rows.flat());\n  }\n\n  /** struct camera {K, T_cam_world, features, rgb} of every image of a scene. */\n  cameras(file) {\n    const m = this.memory, { rgb, K, Ts_world_cam: Ts } = file.arrays;\n    const [views, mapHeight, mapWidth, hidden] = file.facts.rounded.features, [, height, width] = rgb.shape;\n    const size = mapHeight * mapWidth * hidden, pixels = height * width * 3;\n    const features = m.floats(views * size), colours = m.floats(views * pixels);\n    unroundInto(file, \"features\", m.view(Float32Array, features, views * size));\n    const table = Float32Array.from({ length: 256 }, (_, i) => Math.fround(Math.fround(i / 255) * 2) - 1);\n    m.view(Float32Array, colours, views * pixels).set(Array.from(rgb.data, (i) => table[i]));\n    const rows = Array.from({ length: views }, (_, v) => [\n      m.put(Float64Array, K.data.subarray(9 * v, 9 * v + 9)),\n      m.put(Float64Array, inverted(Ts.data.subarray(16 * v, 16 * v + 16))),\n      features + 4 * size * v,\n      colours + 4 * pixels * v,\n    ]);\n    return { at: this.structs(rows), views, height, width, mapHeight, mapWidth, hidden };\n  }\n\n  /** struct landscape of a model over the present scene. */\n  landscape(name) {\n    const { file, ...net } = this.models[name], { field, readout, fusion } = file.facts, c = this.scene.cameras;\n    const index = (activation) => ACTIVATIONS.indexOf(activation);\n    const last = readout.last_activation === \"same\" ? readout.activation : readout.last_activation;\n    const views = fusion === \"network\" ? c.views : 1;\n    return this.structs([[\n      c.views, views, c.height, c.width, c.mapHeight, c.mapWidth, file.facts.stride,\n      field.hidden, field.blocks_per_view, field.blocks_shared, field.position_frequencies, field.direction_frequencies,\n      Number(field.frame === \"camera\"), Number(field.directions === \"moved\"), file.facts.lines, file.facts.per_line,\n      index(readout.activation), index(last), c.at, net.points, net.directions,\n      ...net.position, ...net.direction, ...net.rgb, net.bias, net.perView, net.shared,\n      net.perActivation, ...net.perQuery, ...net.wide, ...net.narrow, ...net.logit, this.scratch(file.facts, views),\n    ]]);\n  }\n\n  /** struct scratch: room for a few poses. */\n  scratch({ field, readout, lines, per_line: perLine }, views) {\n    const poses = POSES_AT_ONCE, queries = lines * perLine, rows = poses * queries, all = rows * views, m = this.memory;\n    const h = field.hidden, position = padded(6 * field.position_frequencies), direction = padded(6 * field.direction_frequencies);\n    const mixed = (1 + field.blocks_shared) * readout.activation_features, query = readout.query_features;\n    const wide = queries * query, inner = readout.trunk_hidden, out = readout.trunk_features;\n    const widest = Math.max(inner, out);\n    const sizes = [\n      all * position, views * poses * lines * direction, poses * lines * h, rows * 4, all * h, rows * h,\n      field.blocks_per_view * all * h, field.blocks_per_view * all * h,\n      field.blocks_shared * rows * h, field.blocks_shared * rows * h,\n      rows * mixed, rows * mixed, rows * query, rows * query,\n      poses * wide, poses * wide, poses * inner, poses * inner,\n      poses * out, poses * out, poses * widest, poses * widest,\n      poses * out, poses * out, poses * out, poses * widest, poses * widest,\n      rows * position, poses * lines * direction,\n    ];\n    return this.structs([[poses, m.take(24 * all), m.take(16 * all), ...sizes.map((n) => m.floats(n))]]);\n  }\n}\n\n/** The first three rows of the inverse of a rigid transform (16 numbers). */\nfunction inverted(T) {\n  const rows = [];\n  for (let i = 0; i < 3; i++) {\n    const r = [T[i], T[4 + i], T[8 + i]];\n    rows.push(...r, -(r[0] * T[3] + r[1] * T[7] + r[2] * T[11]));\n  }\n  return rows;\n}\n\n// --- worker.js\n// A worker: owns one instance of the kernel and answers one message after the other.\n\n\nlet kernel = null;\n\nconst ANSWERS = {\n  start({ wasm }) {\n    kernel = new Kernel(new WebAssembly.Module(wasm));\n    return {};\n  },\n  model({ name, buffer }) {\n    const scene = kernel.scene?.file;\n    kernel.clearScene();\n    if (!kernel.models[name]) kernel.addModel(name, readFile(buffer, \"model\"));\n    if (scene) kernel.setScene(scene);\n    return {};\n  },\n  scene({ buffer }) {\n    kernel.setScene(readFile(buffer, \"scene\"));\n    return {};\n  },\n  evaluate({ model, poses, slopes }) {\n    return kernel.evaluate(model, poses, slopes);\n  },\n};\n\nself.onmessage = ({ data }) => {\n  try {\n    self.postMessage({ id: data.id, ...ANSWERS[data.what](data) });\n  } catch (error) {\n    self.postMessage({ id: data.id, error: error.message });\n  }\n};\n";
const PLANE_WORKER_SOURCE = "// --- poses.js\n// Poses in SE(3), as dgrasp/poses.py has them. A pose is 12 numbers: the first three rows of T_world_tcp, metres.\n\nconst normalized = (v) => {\n  const length = Math.max(Math.hypot(...v), 1e-12);\n  return v.map((x) => x / length);\n};\nconst dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);\nconst cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];\nconst column = (T, k) => [T[k], T[4 + k], T[8 + k]];\nconst positionOf = (T) => [T[3], T[7], T[11]];\n\n/** A pose from a rotation (9 numbers, row by row) and a position. */\nfunction poseOf(R, p) {\n  return [R[0], R[1], R[2], p[0], R[3], R[4], R[5], p[1], R[6], R[7], R[8], p[2]];\n}\n\nconst rotationOf = (T) => [T[0], T[1], T[2], T[4], T[5], T[6], T[8], T[9], T[10]];\n\n/** A point of the pose's frame in the world. */\nfunction placed(T, p) {\n  return [0, 4, 8].map((r) => T[r] * p[0] + T[r + 1] * p[1] + T[r + 2] * p[2] + T[r + 3]);\n}\n\nfunction times(A, B) {\n  const C = new Array(9);\n  for (let i = 0; i < 3; i++) {\n    for (let j = 0; j < 3; j++) C[3 * i + j] = A[3 * i] * B[j] + A[3 * i + 1] * B[3 + j] + A[3 * i + 2] * B[6 + j];\n  }\n  return C;\n}\n\n/** Rotation of a unit quaternion (x, y, z, w). */\nfunction ofQuaternion([x, y, z, w]) {\n  return [\n    1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),\n    2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),\n    2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),\n  ];\n}\n\n/** Unit quaternion of a rotation, by its largest component. */\nfunction toQuaternion(R) {\n  const [a, b, c, d, e, f, g, h, i] = R;\n  const all = [\n    [1 + a - e - i, b + d, c + g, h - f], [b + d, 1 - a + e - i, f + h, c - g],\n    [c + g, f + h, 1 - a - e + i, d - b], [h - f, c - g, d - b, 1 + a + e + i],\n  ];\n  const largest = [0, 1, 2, 3].reduce((best, k) => (all[k][k] > all[best][best] ? k : best), 0);\n  return normalized(all[largest]);\n}\n\n/** Gradient in a vector from that in its normalised self. */\nfunction throughNorm(v, g) {\n  const length = Math.max(Math.hypot(...v), 1e-12), n = v.map((x) => x / length), along = dot(n, g);\n  return g.map((x, i) => (x - along * n[i]) / length);\n}\n\nconst QUAT = {\n  dim: 7,\n  toPose: (v) => poseOf(ofQuaternion(normalized(v.slice(3))), v),\n  fromPose: (T) => [...positionOf(T), ...toQuaternion(rotationOf(T))],\n  normalize: (v) => [...v.slice(0, 3), ...normalized(v.slice(3))],\n  /** Gradient in the vector from that in the pose's 12 numbers. */\n  slope(v, g) {\n    const [x, y, z, w] = normalized(v.slice(3));\n    const [a, b, c, d, e, f, h, i, j] = rotationOf(g);\n    const of = [\n      2 * (y * (b + d) + z * (c + h) - 2 * x * (e + j) + w * (i - f)),\n      2 * (x * (b + d) + z * (f + i) - 2 * y * (a + j) + w * (c - h)),\n      2 * (x * (c + h) + y * (f + i) - 2 * z * (a + e) + w * (d - b)),\n      2 * (x * (i - f) + y * (c - h) + z * (d - b)),\n    ];\n    return [...positionOf(g), ...throughNorm(v.slice(3), of)];\n  },\n};\n\nconst SIX_D = {\n  dim: 9,\n  toPose(v) {\n    const a = normalized(v.slice(3, 6)), b = normalized(v.slice(6, 9)), c = cross(a, b);\n    return poseOf([a[0], b[0], c[0], a[1], b[1], c[1], a[2], b[2], c[2]], v);\n  },\n  fromPose: (T) => [...positionOf(T), ...column(T, 0), ...column(T, 1)],\n  normalize(v) {\n    const a = normalized(v.slice(3, 6)), b = v.slice(6, 9), along = dot(a, b);\n    return [...v.slice(0, 3), ...a, ...normalized(b.map((x, i) => x - along * a[i]))];\n  },\n  slope(v, g) {\n    const a = normalized(v.slice(3, 6)), b = normalized(v.slice(6, 9)), third = column(g, 2);\n    const ofA = column(g, 0).map((x, i) => x + cross(b, third)[i]);\n    const ofB = column(g, 1).map((x, i) => x + cross(third, a)[i]);\n    return [...positionOf(g), ...throughNorm(v.slice(3, 6), ofA), ...throughNorm(v.slice(6, 9), ofB)];\n  },\n};\n\nconst REPRESENTATIONS = { quat: QUAT, \"6d\": SIX_D };\n\n/** Rotation by a rotation vector. */\nfunction turnBy(w) {\n  const angle = Math.hypot(...w);\n  if (angle < 1e-12) return [1, 0, 0, 0, 1, 0, 0, 0, 1];\n  const s = Math.sin(angle / 2) / angle;\n  return ofQuaternion([w[0] * s, w[1] * s, w[2] * s, Math.cos(angle / 2)]);\n}\n\n/** Rotation vector of a rotation of less than half a turn. */\nfunction turnOf(R) {\n  let [x, y, z, w] = toQuaternion(R);\n  if (w < 0) [x, y, z, w] = [-x, -y, -z, -w];\n  const s = Math.hypot(x, y, z), angle = 2 * Math.atan2(s, w), scale = s < 1e-12 ? 2 : angle / s;\n  return [x * scale, y * scale, z * scale];\n}\n\n/** Angle between the rotations of two poses, radians. */\nfunction angleBetween(T, U) {\n  const trace = dot(rotationOf(T), rotationOf(U));\n  return Math.acos(Math.min(1, Math.max(-1, (trace - 1) / 2)));\n}\n\n// The six coordinates of a pose relative to a centre, as dgrasp/report/explorer/pose_slice.py has them: displacement\n// along the world's axes (metres), rotation vector about those of the TCP (radians).\nconst AXES = [\"x\", \"y\", \"z\", \"about x\", \"about y\", \"about z\"];\nconst HALF_WIDTHS = [0.12, 0.12, 0.06, Math.PI / 3, Math.PI / 3, Math.PI / 3];\n\nfunction poseAt(centre, c) {\n  const p = positionOf(centre).map((x, i) => x + c[i]);\n  return poseOf(times(rotationOf(centre), turnBy(c.slice(3))), p);\n}\n\nfunction coordinatesOf(centre, T) {\n  const R = rotationOf(centre), p = positionOf(centre);\n  const transposed = [R[0], R[3], R[6], R[1], R[4], R[7], R[2], R[5], R[8]];\n  return [...positionOf(T).map((x, i) => x - p[i]), ...turnOf(times(transposed, rotationOf(T)))];\n}\n\n/** Slope per metre and per radian about the TCP's own axes, at the pose itself, from the gradient in its numbers. */\nfunction slopeAtPose(T, g) {\n  const x = [0, 1, 2].map((k) => column(T, k)), gx = [0, 1, 2].map((k) => column(g, k));\n  // R exp([w]): the column k moves by R (w cross e_k)\n  return [\n    ...positionOf(g),\n    dot(x[2], gx[1]) - dot(x[1], gx[2]),\n    dot(x[0], gx[2]) - dot(x[2], gx[0]),\n    dot(x[1], gx[0]) - dot(x[0], gx[1]),\n  ];\n}\n\n/** Slope in the six coordinates `c` round a centre from the gradient in the numbers of the pose there. */\nfunction slopeInCoordinates(T, c, g) {\n  const at = slopeAtPose(T, g), w = c.slice(3), angle = Math.hypot(...w);\n  const first = angle < 1e-6 ? 0.5 : (1 - Math.cos(angle)) / angle ** 2;\n  const second = angle < 1e-4 ? 1 / 6 : (angle - Math.sin(angle)) / angle ** 3;\n  // exp(w + d) = exp(w) exp(J d) with J = 1 - first [w] + second [w]^2; here J^T\n  const turn = at.slice(3), once = cross(w, turn), twice = cross(w, once);\n  return [...at.slice(0, 3), ...turn.map((x, i) => x + first * once[i] + second * twice[i])];\n}\n\n/** Random numbers in [0, 1) that a seed repeats (mulberry32). */\nfunction randomFrom(seed) {\n  let state = seed >>> 0;\n  return () => {\n    state = (state + 0x6d2b79f5) >>> 0;\n    let t = Math.imul(state ^ (state >>> 15), 1 | state);\n    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;\n    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;\n  };\n}\n\n/** A number from the normal distribution (Box and Muller). */\nconst normalFrom = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());\n\n/** n poses: positions uniform between the corners, rotations uniform on SO(3). */\nfunction uniformPoses(n, [low, high], random) {\n  return Array.from({ length: n }, () => {\n    const p = low.map((a, i) => a + random() * (high[i] - a));\n    return poseOf(ofQuaternion(normalized(Array.from({ length: 4 }, () => normalFrom(random)))), p);\n  });\n}\n\n// --- plane_network.js\n// A value of two coordinates, learnt with and without its slopes: dgrasp/examples/plane.py, with derivatives by hand.\n//\n// y = w3 . elu(W2 elu(W1 code(p) + b1) + b2) + b3. L_aux needs the weights' gradient of a loss on the slope g = dy/dp.\n// With v = dL/dg it is the gradient of the derivative of y along v, which `along` computes and takes back.\n\n\nconst OCTAVES = 5, WIDTH = 64, CODE = 4 * OCTAVES;\nconst GOOD = [0.45, 0.3];\nconst NEGATIVES = 63, NEAR = 64, NOISE = 0.05; // samples of a step, as in Python\nconst RATE = 3e-3, BETAS = [0.9, 0.999];\n\n/** Sines and cosines of pi 2^k p, and their derivatives; coordinate by coordinate. */\nfunction codeOf(p) {\n  const code = new Float64Array(CODE), slope = new Float64Array(CODE);\n  for (let d = 0; d < 2; d++) {\n    for (let k = 0; k < OCTAVES; k++) {\n      const rate = Math.PI * 2 ** k, s = d * 2 * OCTAVES + k, c = s + OCTAVES;\n      code[s] = Math.sin(rate * p[d]);\n      code[c] = Math.cos(rate * p[d]);\n      slope[s] = rate * code[c];\n      slope[c] = -rate * code[s];\n    }\n  }\n  return { code, slope };\n}\n\nconst SHAPES = { W1: WIDTH * CODE, b1: WIDTH, W2: WIDTH * WIDTH, b2: WIDTH, w3: WIDTH, b3: 1 };\nconst zeros = () => Object.fromEntries(Object.entries(SHAPES).map(([name, n]) => [name, new Float64Array(n)]));\n\n/** y = W x + b */\nfunction affine(W, b, x) {\n  const y = b ? Float64Array.from(b) : new Float64Array(W.length / x.length), n = x.length;\n  for (let i = 0; i < y.length; i++) {\n    let sum = y[i];\n    for (let j = 0; j < n; j++) sum += W[i * n + j] * x[j];\n    y[i] = sum;\n  }\n  return y;\n}\n\n/** x = W^T g */\nfunction transposed(W, g, n) {\n  const x = new Float64Array(n);\n  for (let i = 0; i < g.length; i++) for (let j = 0; j < n; j++) x[j] += W[i * n + j] * g[i];\n  return x;\n}\n\nfunction addOuter(total, g, x) {\n  const n = x.length;\n  for (let i = 0; i < g.length; i++) for (let j = 0; j < n; j++) total[i * n + j] += g[i] * x[j];\n}\n\nfunction add(total, g) {\n  for (let i = 0; i < g.length; i++) total[i] += g[i];\n}\n\n/** f of each number of a; a plain loop is several times as fast as `map` of typed arrays. */\nfunction each(a, f) {\n  const y = new Float64Array(a.length);\n  for (let i = 0; i < a.length; i++) y[i] = f(a[i], i);\n  return y;\n}\n\nconst elu = (z) => (z > 0 ? z : Math.exp(z) - 1);\nconst eluSlope = (z) => (z > 0 ? 1 : Math.exp(z));\nconst eluCurve = (z) => (z > 0 ? 0 : Math.exp(z));\n\n/** The network, its training by L_main + weight L_aux, and points that climb it. */\nclass PlaneNetwork {\n  constructor(seed) {\n    this.random = randomFrom(seed);\n    this.weights = zeros();\n    for (const [name, inputs] of [[\"W1\", CODE], [\"b1\", CODE], [\"W2\", WIDTH], [\"b2\", WIDTH], [\"w3\", WIDTH], [\"b3\", WIDTH]]) {\n      const reach = 1 / Math.sqrt(inputs); // torch's initial weights of a linear layer\n      this.weights[name].forEach((_, i, w) => (w[i] = reach * (2 * this.random() - 1)));\n    }\n    this.mean = zeros();\n    this.square = zeros();\n    this.steps = 0;\n    this.paths = demonstrations(24, this.random);\n  }\n\n  forward(p) {\n    const { W1, b1, W2, b2, w3, b3 } = this.weights, { code, slope } = codeOf(p);\n    const z1 = affine(W1, b1, code), a1 = each(z1, elu), z2 = affine(W2, b2, a1), a2 = each(z2, elu);\n    return { code, slope, z1, a1, z2, a2, y: a2.reduce((sum, a, i) => sum + a * w3[i], b3[0]) };\n  }\n\n  /** Value and slope at a point. */\n  at(p) {\n    const f = this.forward(p), { W1, W2, w3 } = this.weights;\n    const g2 = each(f.z2, (z, i) => w3[i] * eluSlope(z));\n    const g1 = each(transposed(W2, g2, WIDTH), (g, i) => g * eluSlope(f.z1[i]));\n    const gx = transposed(W1, g1, CODE), slope = [0, 0];\n    gx.forEach((g, i) => (slope[Math.floor(i / (2 * OCTAVES))] += g * f.slope[i]));\n    return { ...f, slope, codeSlope: f.slope };\n  }\n\n  /** Add the weights' gradient of `share` times the value at a point. */\n  backward(f, share, total) {\n    const { W2, w3 } = this.weights;\n    add(total.w3, each(f.a2, (a) => share * a));\n    total.b3[0] += share;\n    const g2 = each(f.z2, (z, i) => share * w3[i] * eluSlope(z));\n    addOuter(total.W2, g2, f.a1);\n    add(total.b2, g2);\n    const g1 = each(transposed(W2, g2, WIDTH), (g, i) => g * eluSlope(f.z1[i]));\n    addOuter(total.W1, g1, f.code);\n    add(total.b1, g1);\n  }\n\n  /** Add the weights' gradient of the value's derivative along v at a point. */\n  along(f, v, total) {\n    const { W1, W2, w3 } = this.weights;\n    const dx = each(f.codeSlope, (s, i) => s * v[Math.floor(i / (2 * OCTAVES))]);\n    const d1 = affine(W1, null, dx), e1 = each(d1, (d, i) => d * eluSlope(f.z1[i]));\n    const d2 = affine(W2, null, e1), e2 = each(d2, (d, i) => d * eluSlope(f.z2[i]));\n    add(total.w3, e2);\n    const of_d2 = each(d2, (_, i) => w3[i] * eluSlope(f.z2[i]));\n    const of_z2 = each(d2, (d, i) => w3[i] * d * eluCurve(f.z2[i]));\n    addOuter(total.W2, of_d2, e1);\n    addOuter(total.W2, of_z2, f.a1);\n    add(total.b2, of_z2);\n    const of_e1 = transposed(W2, of_d2, WIDTH), of_a1 = transposed(W2, of_z2, WIDTH);\n    const of_d1 = each(of_e1, (g, i) => g * eluSlope(f.z1[i]));\n    const of_z1 = each(of_e1, (g, i) => g * d1[i] * eluCurve(f.z1[i]) + of_a1[i] * eluSlope(f.z1[i]));\n    addOuter(total.W1, of_d1, dx);\n    addOuter(total.W1, of_z1, f.code);\n    add(total.b1, of_z1);\n  }\n\n  /** L_main and its gradient: cross-entropy of the good action against random ones. */\n  mainLoss(points, total) {\n    const all = points.map((p) => this.forward(p)), top = Math.max(...all.map(({ y }) => y));\n    const sum = all.reduce((s, { y }) => s + Math.exp(y - top), 0);\n    all.forEach((f, i) => this.backward(f, Math.exp(f.y - top) / sum - (i === 0 ? 1 : 0), total));\n    return Math.log(sum) + top - all[0].y;\n  }\n\n  /** weight * L_aux and its gradient: minus the mean cosine of slope and displacement. */\n  slopeLoss(points, targets, weight, total) {\n    let loss = 0;\n    points.forEach((p, k) => {\n      const f = this.at(p), delta = targets[k].map((x, i) => x - p[i]);\n      const long = Math.hypot(...f.slope, 1e-6), way = Math.max(Math.hypot(...delta), 1e-6);\n      const cosine = (f.slope[0] * delta[0] + f.slope[1] * delta[1]) / long / way, share = -weight / points.length;\n      loss += share * cosine;\n      this.along(f, [0, 1].map((i) => (share * (delta[i] / way - (cosine * f.slope[i]) / long)) / long), total);\n    });\n    return loss;\n  }\n\n  /** One step of training; returns the loss. */\n  train(weight) {\n    const { random } = this, total = zeros(), anywhere = () => [2 * random() - 1, 2 * random() - 1];\n    let loss = this.mainLoss([GOOD, ...Array.from({ length: NEGATIVES }, anywhere)], total);\n    if (weight > 0) {\n      const points = [], targets = [];\n      for (let k = 0; k < NEAR; k++) {\n        const path = this.paths[Math.floor(random() * this.paths.length)], t = Math.floor(random() * (path.length - 2));\n        points.push(path[t].map((x) => x + NOISE * normalFrom(random)));\n        targets.push(path[t + 2]);\n      }\n      loss += this.slopeLoss(points, targets, weight, total);\n    }\n    this.adam(total);\n    return loss;\n  }\n\n  adam(total) {\n    this.steps += 1;\n    const [first, second] = BETAS.map((beta) => 1 - beta ** this.steps);\n    for (const name of Object.keys(SHAPES)) {\n      const [w, g, m, s] = [this.weights[name], total[name], this.mean[name], this.square[name]];\n      for (let i = 0; i < w.length; i++) {\n        m[i] = BETAS[0] * m[i] + (1 - BETAS[0]) * g[i];\n        s[i] = BETAS[1] * s[i] + (1 - BETAS[1]) * g[i] * g[i];\n        w[i] -= (RATE * m[i]) / first / (Math.sqrt(s[i] / second) + 1e-8);\n      }\n    }\n  }\n\n  /** Paths of points that climb with Adam from random places. */\n  climb(walkers, steps, rate = 0.05) {\n    const random = randomFrom(7); // the same starts every time, so that pictures can be compared\n    return Array.from({ length: walkers }, () => {\n      const path = [[2 * random() - 1, 2 * random() - 1]], m = [0, 0], s = [0, 0];\n      for (let k = 1; k <= steps; k++) {\n        const { slope } = this.at(path.at(-1));\n        path.push(path.at(-1).map((x, i) => {\n          m[i] = BETAS[0] * m[i] + (1 - BETAS[0]) * slope[i];\n          s[i] = BETAS[1] * s[i] + (1 - BETAS[1]) * slope[i] * slope[i];\n          return x + (rate * m[i]) / (1 - BETAS[0] ** k) / (Math.sqrt(s[i] / (1 - BETAS[1] ** k)) + 1e-8);\n        }));\n      }\n      return path;\n    });\n  }\n\n  /** Values on a grid of the square, rows upwards. */\n  values(grid) {\n    const at = (i) => (2 * i) / (grid - 1) - 1;\n    return Array.from({ length: grid * grid }, (_, k) => this.forward([at(k % grid), at(Math.floor(k / grid))]).y);\n  }\n}\n\n/** Curved paths from random places to the good action. */\nfunction demonstrations(n, random, steps = 24) {\n  return Array.from({ length: n }, () => {\n    const start = [2 * random() - 1, 2 * random() - 1], way = GOOD.map((x, i) => x - start[i]), side = [-way[1], way[0]];\n    return Array.from({ length: steps }, (_, k) => {\n      const t = k / (steps - 1), bend = 0.35 * Math.sin(Math.PI * t);\n      return start.map((x, i) => x + t * way[i] + bend * side[i]);\n    });\n  });\n}\n\n// --- plane_worker.js\n// A worker that trains the value in the plane, and shows how it goes.\n\n\nconst STEPS = 400; // as notebook 00\nconst GRID = 61, WALKERS = 40, CLIMB = 60, EVERY = 20, REACHED = 0.1;\nlet turn = 0;\n\nself.onmessage = async ({ data: { weight, seed } }) => {\n  const mine = ++turn, network = new PlaneNetwork(seed);\n  for (let step = 0; step <= STEPS; step++) {\n    if (step % EVERY === 0) {\n      await new Promise((resume) => setTimeout(resume)); // a newer message may stop this training\n      if (mine !== turn) return;\n      const paths = network.climb(WALKERS, CLIMB);\n      const arrived = paths.filter((path) => Math.hypot(...path.at(-1).map((x, i) => x - GOOD[i])) < REACHED).length;\n      self.postMessage({ step, of: STEPS, values: network.values(GRID), grid: GRID, paths, arrived: arrived / WALKERS, weight });\n    }\n    network.train(weight);\n  }\n};\n";

// --- container.js
// Arrays as dgrasp/report/play/container.py writes them: a safetensors file, compressed with gzip, with rounded numbers
// as byte planes of differences.

const FORMAT = 1;
const READERS = {
  F64: Float64Array, F32: Float32Array, U8: Uint8Array, I32: Int32Array, U32: Uint32Array, U16: Uint16Array,
};

/** What is wrong with a file, in words for the reader. */
class FileProblem extends Error {}

/** What this browser lacks, in words; wanted: {name: words}. */
const lacking = (wanted) => Object.entries(wanted).filter(([name]) => !(name in globalThis)).map(([, text]) => text);

/** Bytes of base64. */
const decoded = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const DIGIT = new Int8Array(128).fill(-1);
[...DIGITS].forEach((character, value) => (DIGIT[character.charCodeAt(0)] = value));

/** Bytes of base85 as Python writes it: 1.25 characters a byte, where base64 takes 1.33. Throws for other characters. */
function decoded85(text) {
  const missing = (5 - text.length % 5) % 5;
  const whole = text + DIGITS.at(-1).repeat(missing);
  const bytes = new Uint8Array(whole.length / 5 * 4);
  const view = new DataView(bytes.buffer);
  let strange = 0;
  for (let i = 0; i < whole.length; i += 5) {
    let word = 0;
    for (let k = i; k < i + 5; k++) {
      const digit = DIGIT[whole.charCodeAt(k) & 127];
      strange |= digit; // negative from the first such character on
      word = word * 85 + digit;
    }
    view.setUint32(i / 5 * 4, word);
  }
  if (strange < 0) throw new RangeError("no base85");
  return bytes.subarray(0, bytes.length - missing);
}

/** The decompressed bytes of a file; gzip's own checksum finds damage. */
async function inflate(bytes) {
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return await new Response(stream).arrayBuffer();
  } catch (error) {
    throw new FileProblem(`the file is damaged or incomplete (${bytes.byteLength} bytes arrived); load the page again`);
  }
}

/** A loader that asks once for a file that is on its way, and gives its bytes to all who want it. */
function askingOnce(load) {
  const open = new Map();
  return (kind, id) => {
    const key = `${kind} ${id}`;
    if (!open.has(key)) open.set(key, load(kind, id).finally(() => open.delete(key)));
    return open.get(key);
  };
}

/** What a decompressed file says, and its arrays by name: {facts, arrays: {name: {data, shape}}}. */
function readFile(buffer, kind) {
  const header = headerOf(buffer);
  const facts = JSON.parse(header.__metadata__?.dgrasp ?? "{}");
  if (facts.format !== FORMAT) {
    throw new FileProblem(`the file has format ${facts.format}, this page reads format ${FORMAT}; export it again`);
  }
  if (facts.kind !== kind) throw new FileProblem(`expected a ${kind}, the file holds a ${facts.kind}`);
  const arrays = {};
  const start = 8 + Number(new DataView(buffer).getBigUint64(0, true));
  for (const [name, entry] of Object.entries(header)) {
    if (name !== "__metadata__") arrays[name] = arrayOf(buffer, start, name, entry);
  }
  return { facts, arrays };
}

function headerOf(buffer) {
  try {
    const length = Number(new DataView(buffer).getBigUint64(0, true));
    return JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  } catch (error) {
    throw new FileProblem("the file is no safetensors file; load the page again");
  }
}

function arrayOf(buffer, start, name, { dtype, shape, data_offsets: [first, last] }) {
  const Reader = READERS[dtype];
  if (!Reader || start + last > buffer.byteLength) {
    throw new FileProblem(`array ${name}: ${Reader ? "reaches beyond the file" : `unknown type ${dtype}`}`);
  }
  return { data: new Reader(buffer.slice(start + first, start + last)), shape };
}

/** The numbers of a rounded array, written to `target` channels last, rows of `width` (or as many as there are). */
function unroundInto(file, name, target, width) {
  const planes = file.arrays[`${name}.planes`];
  const [count, channels, rows] = planes.shape;
  const low = file.arrays[`${name}.low`].data, step = file.arrays[`${name}.step`].data;
  const mask = 2 ** (8 * count) - 1, size = channels * rows, stride = width ?? channels;
  for (let c = 0; c < channels; c++) {
    let whole = 0;
    for (let row = 0, at = c * rows; row < rows; row++, at++) {
      let difference = 0;
      for (let k = 0; k < count; k++) difference |= planes.data[k * size + at] << (8 * k);
      whole = (whole + difference) & mask;
      target[row * stride + c] = low[c] + step[c] * whole;
    }
  }
}

/** An array by name, rounded or not: {data, shape}. */
function arrayNamed(file, name) {
  if (file.arrays[name]) return file.arrays[name];
  const shape = file.facts.rounded?.[name];
  if (!shape) throw new FileProblem(`array ${name} is missing in the file`);
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  unroundInto(file, name, data);
  return { data, shape };
}

/** Whether the file has an array of that name. */
function hasArray(file, name) {
  return name in file.arrays || name in (file.facts.rounded ?? {});
}

// --- poses.js
// Poses in SE(3), as dgrasp/poses.py has them. A pose is 12 numbers: the first three rows of T_world_tcp, metres.

const normalized = (v) => {
  const length = Math.max(Math.hypot(...v), 1e-12);
  return v.map((x) => x / length);
};
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const column = (T, k) => [T[k], T[4 + k], T[8 + k]];
const positionOf = (T) => [T[3], T[7], T[11]];

/** A pose from a rotation (9 numbers, row by row) and a position. */
function poseOf(R, p) {
  return [R[0], R[1], R[2], p[0], R[3], R[4], R[5], p[1], R[6], R[7], R[8], p[2]];
}

const rotationOf = (T) => [T[0], T[1], T[2], T[4], T[5], T[6], T[8], T[9], T[10]];

/** A point of the pose's frame in the world. */
function placed(T, p) {
  return [0, 4, 8].map((r) => T[r] * p[0] + T[r + 1] * p[1] + T[r + 2] * p[2] + T[r + 3]);
}

function times(A, B) {
  const C = new Array(9);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) C[3 * i + j] = A[3 * i] * B[j] + A[3 * i + 1] * B[3 + j] + A[3 * i + 2] * B[6 + j];
  }
  return C;
}

/** Rotation of a unit quaternion (x, y, z, w). */
function ofQuaternion([x, y, z, w]) {
  return [
    1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
    2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
    2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
  ];
}

/** Unit quaternion of a rotation, by its largest component. */
function toQuaternion(R) {
  const [a, b, c, d, e, f, g, h, i] = R;
  const all = [
    [1 + a - e - i, b + d, c + g, h - f], [b + d, 1 - a + e - i, f + h, c - g],
    [c + g, f + h, 1 - a - e + i, d - b], [h - f, c - g, d - b, 1 + a + e + i],
  ];
  const largest = [0, 1, 2, 3].reduce((best, k) => (all[k][k] > all[best][best] ? k : best), 0);
  return normalized(all[largest]);
}

/** Gradient in a vector from that in its normalised self. */
function throughNorm(v, g) {
  const length = Math.max(Math.hypot(...v), 1e-12), n = v.map((x) => x / length), along = dot(n, g);
  return g.map((x, i) => (x - along * n[i]) / length);
}

const QUAT = {
  dim: 7,
  toPose: (v) => poseOf(ofQuaternion(normalized(v.slice(3))), v),
  fromPose: (T) => [...positionOf(T), ...toQuaternion(rotationOf(T))],
  normalize: (v) => [...v.slice(0, 3), ...normalized(v.slice(3))],
  /** Gradient in the vector from that in the pose's 12 numbers. */
  slope(v, g) {
    const [x, y, z, w] = normalized(v.slice(3));
    const [a, b, c, d, e, f, h, i, j] = rotationOf(g);
    const of = [
      2 * (y * (b + d) + z * (c + h) - 2 * x * (e + j) + w * (i - f)),
      2 * (x * (b + d) + z * (f + i) - 2 * y * (a + j) + w * (c - h)),
      2 * (x * (c + h) + y * (f + i) - 2 * z * (a + e) + w * (d - b)),
      2 * (x * (i - f) + y * (c - h) + z * (d - b)),
    ];
    return [...positionOf(g), ...throughNorm(v.slice(3), of)];
  },
};

const SIX_D = {
  dim: 9,
  toPose(v) {
    const a = normalized(v.slice(3, 6)), b = normalized(v.slice(6, 9)), c = cross(a, b);
    return poseOf([a[0], b[0], c[0], a[1], b[1], c[1], a[2], b[2], c[2]], v);
  },
  fromPose: (T) => [...positionOf(T), ...column(T, 0), ...column(T, 1)],
  normalize(v) {
    const a = normalized(v.slice(3, 6)), b = v.slice(6, 9), along = dot(a, b);
    return [...v.slice(0, 3), ...a, ...normalized(b.map((x, i) => x - along * a[i]))];
  },
  slope(v, g) {
    const a = normalized(v.slice(3, 6)), b = normalized(v.slice(6, 9)), third = column(g, 2);
    const ofA = column(g, 0).map((x, i) => x + cross(b, third)[i]);
    const ofB = column(g, 1).map((x, i) => x + cross(third, a)[i]);
    return [...positionOf(g), ...throughNorm(v.slice(3, 6), ofA), ...throughNorm(v.slice(6, 9), ofB)];
  },
};

const REPRESENTATIONS = { quat: QUAT, "6d": SIX_D };

/** Rotation by a rotation vector. */
function turnBy(w) {
  const angle = Math.hypot(...w);
  if (angle < 1e-12) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const s = Math.sin(angle / 2) / angle;
  return ofQuaternion([w[0] * s, w[1] * s, w[2] * s, Math.cos(angle / 2)]);
}

/** Rotation vector of a rotation of less than half a turn. */
function turnOf(R) {
  let [x, y, z, w] = toQuaternion(R);
  if (w < 0) [x, y, z, w] = [-x, -y, -z, -w];
  const s = Math.hypot(x, y, z), angle = 2 * Math.atan2(s, w), scale = s < 1e-12 ? 2 : angle / s;
  return [x * scale, y * scale, z * scale];
}

/** Angle between the rotations of two poses, radians. */
function angleBetween(T, U) {
  const trace = dot(rotationOf(T), rotationOf(U));
  return Math.acos(Math.min(1, Math.max(-1, (trace - 1) / 2)));
}

// The six coordinates of a pose relative to a centre, as dgrasp/report/explorer/pose_slice.py has them: displacement
// along the world's axes (metres), rotation vector about those of the TCP (radians).
const AXES = ["x", "y", "z", "about x", "about y", "about z"];
const HALF_WIDTHS = [0.12, 0.12, 0.06, Math.PI / 3, Math.PI / 3, Math.PI / 3];

function poseAt(centre, c) {
  const p = positionOf(centre).map((x, i) => x + c[i]);
  return poseOf(times(rotationOf(centre), turnBy(c.slice(3))), p);
}

function coordinatesOf(centre, T) {
  const R = rotationOf(centre), p = positionOf(centre);
  const transposed = [R[0], R[3], R[6], R[1], R[4], R[7], R[2], R[5], R[8]];
  return [...positionOf(T).map((x, i) => x - p[i]), ...turnOf(times(transposed, rotationOf(T)))];
}

/** Slope per metre and per radian about the TCP's own axes, at the pose itself, from the gradient in its numbers. */
function slopeAtPose(T, g) {
  const x = [0, 1, 2].map((k) => column(T, k)), gx = [0, 1, 2].map((k) => column(g, k));
  // R exp([w]): the column k moves by R (w cross e_k)
  return [
    ...positionOf(g),
    dot(x[2], gx[1]) - dot(x[1], gx[2]),
    dot(x[0], gx[2]) - dot(x[2], gx[0]),
    dot(x[1], gx[0]) - dot(x[0], gx[1]),
  ];
}

/** Slope in the six coordinates `c` round a centre from the gradient in the numbers of the pose there. */
function slopeInCoordinates(T, c, g) {
  const at = slopeAtPose(T, g), w = c.slice(3), angle = Math.hypot(...w);
  const first = angle < 1e-6 ? 0.5 : (1 - Math.cos(angle)) / angle ** 2;
  const second = angle < 1e-4 ? 1 / 6 : (angle - Math.sin(angle)) / angle ** 3;
  // exp(w + d) = exp(w) exp(J d) with J = 1 - first [w] + second [w]^2; here J^T
  const turn = at.slice(3), once = cross(w, turn), twice = cross(w, once);
  return [...at.slice(0, 3), ...turn.map((x, i) => x + first * once[i] + second * twice[i])];
}

/** Random numbers in [0, 1) that a seed repeats (mulberry32). */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A number from the normal distribution (Box and Muller). */
const normalFrom = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** n poses: positions uniform between the corners, rotations uniform on SO(3). */
function uniformPoses(n, [low, high], random) {
  return Array.from({ length: n }, () => {
    const p = low.map((a, i) => a + random() * (high[i] - a));
    return poseOf(ofQuaternion(normalized(Array.from({ length: 4 }, () => normalFrom(random)))), p);
  });
}

// --- climb.js
// Adam climbs a landscape from many poses at once: dgrasp/slopes/climb.py, one step at a time.


const BETA = [0.9, 0.999], EPS = 1e-8; // torch.optim.Adam's
const PARTS = { seq: [["translation"], ["rotation"]], sync: [["translation", "rotation"]] };

/**
 * Yields {step, poses, scores, climbing} before the first step and after each; poses that were dropped stand still.
 *
 * evaluate: (poses (12 n), slopes) -> {scores, slopes}, possibly later. starts: poses. settings: as OptimizerConfig.
 * bounds: low and high corner, metres. scores are those before the step (at the end: of the final poses).
 */
async function* climb(evaluate, starts, settings, representation, schedule, bounds) {
  const candidates = new Candidates(starts, settings, REPRESENTATIONS[representation], bounds);
  const pruning = pruningByStep(settings, PARTS[schedule].length);
  let step = 0;
  yield { step, ...candidates.shown() };
  for (const parts of PARTS[schedule]) {
    candidates.begin(parts);
    for (let k = 0; k < settings.steps; k++) {
      if (step === 0 && pruning.has(0)) candidates.drop((await evaluate(candidates.poses(), false)).scores, pruning.get(0));
      const { scores, slopes } = await evaluate(candidates.poses(), true);
      candidates.ascend(slopes, k);
      step += 1;
      candidates.note(scores);
      if (pruning.has(step)) candidates.drop(scores, pruning.get(step));
      yield { step, ...candidates.shown() };
    }
  }
  candidates.note((await evaluate(candidates.poses(), false)).scores);
  yield { step, ...candidates.shown(), done: true };
}

/** Step of the whole climb -> how many climb on after it; each phase may have steps of its own. */
function pruningByStep({ pruning = [], pruning_first: first = null, steps }, phases) {
  if (first === null || pruning.length === 0 || phases === 1) return new Map(pruning);
  const before = steps * (phases - 1);
  return new Map([...first.filter(([step]) => step <= before), ...pruning.map(([step, count]) => [step > 0 ? step + before : 0, count])]);
}

class Candidates {
  constructor(starts, settings, representation, bounds) {
    this.settings = settings;
    this.rep = representation;
    this.bounds = settings.clip_to_workspace ? bounds : null;
    this.all = starts.map((T) => this.rep.fromPose(T));
    this.climbing = starts.map((_, i) => i);
    this.scores = new Array(starts.length).fill(NaN);
  }

  poses() {
    return Float64Array.from(this.climbing.flatMap((i) => this.rep.toPose(this.all[i])));
  }

  shown() {
    return { poses: this.all.map((v) => this.rep.toPose(v)), scores: [...this.scores], climbing: [...this.climbing] };
  }

  /** A phase with an Adam of its own: only some coordinates move. */
  begin(parts) {
    this.moves = (i) => parts.includes(i < 3 ? "translation" : "rotation");
    this.mean = this.all.map((v) => v.map(() => 0));
    this.square = this.all.map((v) => v.map(() => 0));
  }

  /** One step; k counts within the phase. */
  ascend(slopes, k) {
    const s = this.settings, clip = s.gradient_clip ?? Infinity;
    const rates = [s.translation_rate * s.translation_decay ** k, s.rotation_rate * s.rotation_decay ** k];
    const [first, second] = BETA.map((beta) => 1 - beta ** (k + 1));
    this.climbing.forEach((i, row) => {
      const v = this.all[i], g = this.rep.slope(v, slopes.subarray(12 * row, 12 * row + 12));
      for (let j = 0; j < v.length; j++) {
        if (!this.moves(j)) continue;
        const slope = Math.min(clip, Math.max(-clip, g[j]));
        this.mean[i][j] = BETA[0] * this.mean[i][j] + (1 - BETA[0]) * slope;
        this.square[i][j] = BETA[1] * this.square[i][j] + (1 - BETA[1]) * slope * slope;
        v[j] += (rates[j < 3 ? 0 : 1] * this.mean[i][j]) / first / (Math.sqrt(this.square[i][j] / second) + EPS);
      }
      if (this.bounds) for (let j = 0; j < 3; j++) v[j] = Math.min(this.bounds[1][j], Math.max(this.bounds[0][j], v[j]));
      this.all[i] = this.rep.normalize(v);
    });
  }

  note(scores) {
    this.climbing.forEach((i, row) => (this.scores[i] = scores[row]));
  }

  /** Only the best `count` climb on. */
  drop(scores, count) {
    const order = this.climbing.map((i, row) => [scores[row], i]).sort((a, b) => b[0] - a[0]);
    this.climbing = order.slice(0, count).map(([, i]) => i).sort((a, b) => a - b);
  }
}

// --- pool.js
// Workers that compute while the page stays free. Work comes in small pieces; what is urgent goes first.

const POSES_IN_A_PIECE = 8; // about 15 ms with slopes: how long something urgent waits
const MOST_WORKERS = 4; // more gain little, and a scene is kept by each

/** A worker, and what it is asked. */
class Hand {
  constructor(source) {
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.worker = new Worker(address);
    this.waiting = new Map();
    this.count = 0;
    this.busy = false;
    this.worker.onmessage = ({ data }) => this.answered(data);
    this.worker.onerror = (event) => this.failed(new Error(event.message || "a worker could not be started"));
  }

  ask(message) {
    return new Promise((resolve, reject) => {
      const id = this.count++;
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ ...message, id });
    });
  }

  answered({ id, error, ...answer }) {
    const { resolve, reject } = this.waiting.get(id);
    this.waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(answer);
  }

  failed(error) {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

/** Evaluates poses in parallel. `workers`: how many; by default as many as there are cores, four at most. */
class Pool {
  constructor(source, wasm, workers = Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 2)) {
    this.hands = Array.from({ length: workers }, () => new Hand(source));
    this.pieces = [];
    this.ready = this.all({ what: "start", wasm });
  }

  all(message) {
    return Promise.all(this.hands.map((hand) => hand.ask(message)));
  }

  /** Give all workers a model (decompressed file). */
  async addModel(name, buffer) {
    await this.ready;
    await this.all({ what: "model", name, buffer });
  }

  /** Give all workers a scene (decompressed file). */
  async setScene(buffer) {
    await this.ready;
    await this.all({ what: "scene", buffer });
  }

  /**
   * Scores (n) and slopes (12 n) of poses (12 n) in the landscape of a model.
   * urgency: larger goes first. signal: an AbortSignal; what is not begun is dropped, and the promise rejected.
   */
  evaluate(model, poses, { slopes = true, urgency = 0, signal = null } = {}) {
    const n = poses.length / 12, parts = [];
    const result = { scores: new Float64Array(n), slopes: slopes ? new Float64Array(12 * n) : null };
    for (let first = 0; first < n; first += POSES_IN_A_PIECE) {
      const chosen = poses.slice(12 * first, 12 * Math.min(n, first + POSES_IN_A_PIECE));
      parts.push(this.piece({ what: "evaluate", model, poses: chosen, slopes }, urgency, signal).then((answer) => {
        result.scores.set(answer.scores, first);
        if (slopes) result.slopes.set(answer.slopes, 12 * first);
      }));
    }
    return Promise.all(parts).then(() => result);
  }

  piece(message, urgency, signal) {
    return new Promise((resolve, reject) => {
      const place = this.pieces.findIndex((other) => other.urgency < urgency);
      this.pieces.splice(place < 0 ? this.pieces.length : place, 0, { message, urgency, signal, resolve, reject });
      this.hand_out();
    });
  }

  hand_out() {
    this.pieces = this.pieces.filter((piece) => {
      if (piece.signal?.aborted) piece.reject(new DOMException("not needed any more", "AbortError"));
      return !piece.signal?.aborted;
    });
    for (const hand of this.hands) {
      if (hand.busy || this.pieces.length === 0) continue;
      const { message, resolve, reject } = this.pieces.shift();
      hand.busy = true;
      hand.ask(message).then(resolve, reject).finally(() => {
        hand.busy = false;
        this.hand_out();
      });
    }
  }

  /** Stop all workers. */
  close() {
    for (const hand of this.hands) hand.worker.terminate();
  }
}

// --- draw.js
// What several views draw with: colours, cameras, the gripper.


// Dark is high, as in the figures: ten steps of matplotlib's "YlGnBu", which keep their order without colour.
const MAP = [
  [255, 255, 217], [239, 249, 189], [213, 238, 179], [169, 221, 183], [115, 201, 189],
  [69, 180, 194], [40, 151, 191], [35, 116, 178], [36, 77, 160], [8, 29, 88],
];

/** Colour (three bytes) of a share in [0, 1]. */
function colourOf(share) {
  const x = Math.min(1, Math.max(0, share)) * (MAP.length - 1), i = Math.min(MAP.length - 2, Math.floor(x));
  return MAP[i].map((a, k) => Math.round(a + (x - i) * (MAP[i + 1][k] - a)));
}

const css = (rgb, alpha = 1) => `rgba(${rgb.join(",")},${alpha})`;

// The open gripper as lines in the TCP's frame, metres: z is the approach, x the closing direction. The TCP lies 15 mm
// behind the fingertips (dgrasp/cell/gripper.py); the opening is drawn as 100 mm, what the oracle grasps at most.
const TIP = 0.015, ROOT = -0.055, WRIST = -0.1, HALF = 0.05;
const GRIPPER = [
  [[-HALF, 0, TIP], [-HALF, 0, ROOT], [HALF, 0, ROOT], [HALF, 0, TIP]],
  [[0, 0, ROOT], [0, 0, WRIST]],
];

/** The gripper's lines in the world. scale: of its size. */
const gripperAt = (T, scale = 1) => GRIPPER.map((line) => line.map((p) => placed(T, p.map((x) => scale * x))));

/** A pinhole camera: K (9 numbers) in pixels, T_world_cam (16 numbers). */
class Camera {
  constructor(K, T) {
    this.K = K;
    this.T = T;
  }

  /** Pixel and depth of a world point: [u, v, depth]. */
  project([x, y, z]) {
    const T = this.T, d = [x - T[3], y - T[7], z - T[11]];
    const [a, b, c] = [0, 1, 2].map((k) => T[k] * d[0] + T[4 + k] * d[1] + T[8 + k] * d[2]);
    const depth = Math.max(c, 1e-6);
    return [this.K[2] + (this.K[0] * a) / depth, this.K[5] + (this.K[4] * b) / depth, c];
  }

  /** Where the ray of a pixel meets a horizontal plane (metres), or null if it does not. */
  onPlane([u, v], z) {
    const T = this.T, local = [(u - this.K[2]) / this.K[0], (v - this.K[5]) / this.K[4], 1];
    const ray = [0, 4, 8].map((r) => T[r] * local[0] + T[r + 1] * local[1] + T[r + 2] * local[2]);
    const t = (z - T[11]) / ray[2];
    return t > 0 && Number.isFinite(t) ? [T[3] + t * ray[0], T[7] + t * ray[1], z] : null;
  }
}

/** Draw a line through points [x, y, ...] of the canvas, with a pale rim that keeps it visible on any ground. */
function stroke(context, points, colour, width, rim = 0) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.lineJoin = context.lineCap = "round";
  if (rim) {
    context.strokeStyle = "rgba(255,255,255,0.85)";
    context.lineWidth = width + rim;
    context.stroke();
  }
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

/** An arrow from one point of the canvas to another. */
function arrow(context, from, to, colour, width, rim = 0, head = 4 + 2 * width) {
  const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
  const side = (turn) => [to[0] - head * Math.cos(angle + turn), to[1] - head * Math.sin(angle + turn)];
  stroke(context, [from, to], colour, width, rim);
  stroke(context, [side(0.45), to, side(-0.45)], colour, width, rim);
}

/** A dot with a pale rim. */
function dot2(context, [x, y], radius, colour) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.strokeStyle = "white";
  context.lineWidth = 1.5;
  context.fill();
  context.stroke();
}

/** Values on a grid (rows upwards) as a small canvas with a pixel for each, to be drawn larger: {canvas, range}. */
function shaded(values, grid) {
  const low = Math.min(...values), high = Math.max(...values), image = new ImageData(grid, grid);
  values.forEach((value, i) => {
    const row = grid - 1 - Math.floor(i / grid), rgb = colourOf((value - low) / (high - low || 1));
    image.data.set([...rgb, 255], 4 * (row * grid + (i % grid)));
  });
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = grid;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return { canvas, range: [low, high] };
}

/** A canvas that is as sharp as the screen, with coordinates of `width` x `height`; returns its context, cleared. */
function prepared(canvas, width, height) {
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  if (canvas.width !== width * ratio || canvas.height !== height * ratio) {
    canvas.width = width * ratio;
    canvas.height = height * ratio;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Where a pointer event lies in the coordinates of a canvas of `width` x `height`. */
function placeOn(canvas, event, width, height) {
  const r = canvas.getBoundingClientRect();
  return [((event.clientX - r.left) * width) / r.width, ((event.clientY - r.top) * height) / r.height];
}

/** Call `move(place, event)` while a pointer is down on the canvas, and `end()` when it is let go. */
function draggable(canvas, width, height, move, end = () => {}) {
  let down = false;
  canvas.addEventListener("pointerdown", (event) => {
    down = true;
    canvas.setPointerCapture(event.pointerId);
    move(placeOn(canvas, event, width, height), event, true);
  });
  canvas.addEventListener("pointermove", (event) => down && move(placeOn(canvas, event, width, height), event, false));
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, () => {
      if (down) end();
      down = false;
    });
  }
}

/** A colour of the page's style sheet. */
const styled = (element, name) => getComputedStyle(element).getPropertyValue(name).trim();

// --- controls.js
// Labelled controls, made of plain HTML: every one is reached by keyboard and read by a screen reader.

let made = 0;

/** An element: h("p", {class: "x", onclick}, ...children). */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A label beside its control. */
function labelled(text, control) {
  control.id = `dgp-${++made}`;
  return h("div", { class: "dgp-control" }, h("label", { for: control.id }, text), control);
}

/** A list to choose from; options: [[value, text]]. Has `value`; `set(value)` does not call `changed`. */
function choice(text, options, value, changed) {
  const select = h("select", { onchange: () => changed(select.value) });
  const fill = (list) => select.replaceChildren(...list.map(([v, t]) => h("option", { value: v }, t)));
  fill(options);
  select.value = value;
  return {
    element: labelled(text, select),
    get value() { return select.value; },
    set: (v) => (select.value = v),
    fill: (list, v) => (fill(list), (select.value = v)),
  };
}

/** A slider with its number. show: value -> text. `moved(value, settled)`. */
function slider(text, { min, max, step, value, show = String, log = false }, moved) {
  const to = (x) => (log ? Math.log10(x) : x), from = (x) => (log ? 10 ** Number(x) : Number(x));
  const input = h("input", { type: "range", min: to(min), max: to(max), step: log ? 0.01 : step, value: to(value) });
  const output = h("output", {});
  const control = labelled(text, input);
  control.append(output);
  let exact = value; // a slider rounds what is set; what the visitor did not move stays as it was
  const say = () => {
    output.textContent = show(exact);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  const act = (settled) => {
    exact = from(input.value);
    say();
    moved(exact, settled);
  };
  input.addEventListener("input", () => act(false));
  input.addEventListener("change", () => act(true));
  say();
  return {
    element: control,
    input,
    get value() { return exact; },
    /** Also widens the range, so that no value is moved to its end without a word. */
    set(x) {
      if (to(x) < Number(input.min)) input.min = to(x);
      if (to(x) > Number(input.max)) input.max = to(x);
      input.value = to(x);
      exact = x;
      say();
    },
  };
}

/** A box to tick. */
function tick(text, checked, changed) {
  const input = h("input", { type: "checkbox", checked, onchange: () => changed(input.checked) });
  return { element: h("label", { class: "dgp-tick" }, input, " ", text), get value() { return input.checked; } };
}

const button = (text, pressed) => h("button", { type: "button", onclick: pressed }, text);

/** Let controls below some elements be used, or not. */
function enable(elements, on) {
  for (const element of elements) for (const one of element.querySelectorAll("button, input, select")) one.disabled = !on;
}

/** A group of controls with a heading. */
const group = (title, ...children) => h("fieldset", {}, h("legend", {}, title), ...children);

// --- camera.js
// The camera's view: the picture, the gripper in it, which is dragged, and the candidates.


const ARROW = 0.05; // metres: the slope's direction is drawn, not its size
const STEP = 0.005; // metres that a key moves the gripper

class CameraView {
  /** moved(p, settled): the visitor wants the TCP at p (world, metres). */
  constructor(canvas, moved) {
    this.canvas = canvas;
    this.moved = moved;
    this.width = 640;
    this.height = 480;
    this.camera = null;
    draggable(canvas, this.width, this.height, (place, event, first) => this.drag(place, event, first), () => this.moved(null, true));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** scene: {pictures, width, height, Ks, Ts}; which camera. */
  setScene(scene, index) {
    this.picture = scene.pictures[index];
    this.camera = new Camera(scene.K.subarray(9 * index, 9 * index + 9), scene.Ts.subarray(16 * index, 16 * index + 16));
  }

  /** The gripper follows the pointer in the horizontal plane of the TCP; with shift its height changes. */
  drag(place, event, first) {
    if (!this.camera || !this.gripper) return;
    const p = positionOf(this.gripper), [u, v] = this.camera.project(p);
    if (first || event.shiftKey !== this.shift) this.grip = [u - place[0], v - place[1]];
    if (first && Math.hypot(...this.grip) > 60) this.grip = [0, 0]; // not near the gripper: it jumps to the pointer
    this.shift = event.shiftKey;
    const target = [place[0] + this.grip[0], place[1] + this.grip[1]];
    if (event.shiftKey) {
      const perPixel = 1 / Math.abs(this.camera.project([p[0], p[1], p[2] + 1e-3])[1] - v) / 1e3;
      this.moved([p[0], p[1], p[2] - (target[1] - v) * perPixel], false);
    } else {
      const q = this.camera.onPlane(target, p[2]);
      if (q) this.moved(q, false);
    }
  }

  key(event) {
    const ways = {
      ArrowUp: [STEP, 0, 0], ArrowDown: [-STEP, 0, 0], ArrowLeft: [0, STEP, 0], ArrowRight: [0, -STEP, 0],
      PageUp: [0, 0, STEP], PageDown: [0, 0, -STEP],
    };
    const way = ways[event.key];
    if (!way || !this.gripper) return;
    event.preventDefault();
    const along = this.camera ? this.turned(way) : way;
    this.moved(positionOf(this.gripper).map((x, i) => x + along[i]), true);
  }

  /** A horizontal step away from the camera (and sideways) as the visitor sees it. */
  turned([away, left, up]) {
    const T = this.camera.T, forward = Math.atan2(T[6], T[2]);
    return [
      away * Math.cos(forward) - left * Math.sin(forward), away * Math.sin(forward) + left * Math.cos(forward), up,
    ];
  }

  /** shown: {gripper, slope (3), candidates: {poses, shares, paths}, path, queries, colour}. */
  draw(shown) {
    const context = prepared(this.canvas, this.width, this.height);
    this.gripper = shown.gripper;
    if (!this.camera) return;
    if (this.picture) context.drawImage(this.picture, 0, 0, this.width, this.height);
    const onto = (line) => line.map((p) => this.camera.project(p));
    for (const { share, path } of shown.candidates) {
      if (path.length > 1) stroke(context, onto(path), css(colourOf(share), 0.75), 1.3);
    }
    for (const { pose, share, best } of shown.candidates) {
      for (const line of gripperAt(pose, 0.45)) stroke(context, onto(line), css(colourOf(share)), best ? 4 : 1.6, best ? 3 : 1);
    }
    if (shown.path.length > 1) stroke(context, onto(shown.path), shown.colour, 2.5, 2);
    for (const line of gripperAt(shown.gripper)) stroke(context, onto(line), shown.colour, 3.5, 3);
    for (const q of shown.queries) dot2(context, this.camera.project(placed(shown.gripper, q)), 2.4, shown.colour);
    const p = positionOf(shown.gripper), length = Math.hypot(...(shown.slope ?? [0]));
    const here = this.camera.project(p);
    if (length > 0) {
      const tip = this.camera.project(p.map((x, i) => x + (ARROW * shown.slope[i]) / length));
      arrow(context, here, tip, "#000", 2.5, 3);
    }
    dot2(context, here, 5, shown.colour);
    const out = this.camera.project(p.map((x, i) => x + 0.03 * column(shown.gripper, 2)[i]));
    stroke(context, [here, out], shown.colour, 1.5, 1);
  }
}

// --- cut.js
// A cut through the landscape along two axes of the pose: values as shades, slopes as arrows, the gripper as a dot.


const SIZE = 400, LEFT = 62, BOTTOM = 50, TOP = 10, RIGHT = 14;
const INNER = SIZE - LEFT - RIGHT;
const HEIGHT = INNER + TOP + BOTTOM;

/** Metres and radians -> what axes show. */
const inUnits = (axis, x) => (axis < 3 ? x * 1e3 : (x * 180) / Math.PI);
const unitOf = (axis) => (axis < 3 ? "mm" : "°");

class CutView {
  /** moved([share, share], settled): the visitor wants the gripper there, in half widths. */
  constructor(canvas, moved) {
    this.canvas = canvas;
    this.moved = moved;
    this.place = [0, 0];
    draggable(canvas, SIZE, HEIGHT, (at) => moved(this.shares(at), false), () => moved(null, true));
    canvas.addEventListener("keydown", (event) => {
      const way = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
      if (!way) return;
      event.preventDefault();
      moved(this.place.map((x, i) => x + 0.05 * way[i]), true);
    });
  }

  shares([x, y]) {
    const clip = (s) => Math.min(1, Math.max(-1, s));
    return [clip((2 * (x - LEFT)) / INNER - 1), clip(1 - (2 * (y - TOP)) / INNER)];
  }

  at([a, b]) {
    return [LEFT + ((a + 1) / 2) * INNER, TOP + ((1 - b) / 2) * INNER];
  }

  /** The values of a grid (rows: vertical axis, upwards) as a picture; made once per cut. */
  setScores(scores, grid) {
    const { canvas, range } = shaded(scores, grid);
    Object.assign(this, { picture: canvas, range });
    this.grid = grid;
    this.arrows = [];
  }

  /** arrows: [{at: shares, slope: score per half width}]. */
  setSlopes(arrows) {
    this.arrows = arrows;
  }

  /** shown: {axes, halfWidths, gripper: shares, paths: [[shares]], ink, colour}. */
  draw({ axes, halfWidths, gripper, paths, ink, colour, stale }) {
    const context = prepared(this.canvas, SIZE, HEIGHT);
    this.place = gripper;
    context.globalAlpha = stale ? 0.45 : 1;
    if (this.picture) {
      const half = INNER / (this.grid - 1) / 2; // values belong to the middles of the picture's cells
      context.save();
      context.beginPath();
      context.rect(LEFT, TOP, INNER, INNER);
      context.clip();
      context.imageSmoothingEnabled = true;
      context.drawImage(this.picture, LEFT - half, TOP - half, INNER + 2 * half, INNER + 2 * half);
      this.drawArrows(context);
      for (const path of paths) this.drawPath(context, path, colour);
      context.restore();
    }
    context.globalAlpha = 1;
    this.drawAxes(context, axes, halfWidths, ink);
    dot2(context, this.at(gripper.map((x) => Math.min(1, Math.max(-1, x)))), 6, colour);
  }

  drawArrows(context) {
    const longest = Math.max(1e-12, ...this.arrows.map(({ slope }) => Math.hypot(...slope)));
    for (const { at, slope } of this.arrows) {
      const length = Math.hypot(...slope);
      if (length < 1e-12) continue;
      const reach = (0.04 + 0.08 * Math.sqrt(length / longest)) / length;
      arrow(context, this.at(at), this.at(at.map((x, i) => x + reach * slope[i])), "#333", 1.3, 1.5, 5);
    }
  }

  drawPath(context, path, colour) {
    if (path.length > 1) stroke(context, path.map((p) => this.at(p)), colour, 2.2, 2);
    for (const p of path.slice(0, 1)) dot2(context, this.at(p), 3.5, "#fff");
    for (const p of path.slice(1).slice(-1)) dot2(context, this.at(p), 4, colour);
  }

  drawAxes(context, axes, halfWidths, ink) {
    context.strokeStyle = context.fillStyle = ink;
    context.lineWidth = 1;
    context.strokeRect(LEFT, TOP, INNER, INNER);
    context.font = "14px system-ui, sans-serif";
    const label = (k, share) => `${Math.round(inUnits(axes[k], share * halfWidths[k]))}`;
    for (const share of [-1, 0, 1]) {
      const [x] = this.at([share, 0]), [, y] = this.at([0, share]);
      context.textAlign = share < 0 ? "left" : share > 0 ? "right" : "center";
      context.fillText(label(0, share), x, TOP + INNER + 18);
      context.textAlign = "right";
      context.fillText(label(1, share), LEFT - 6, y + (share < 0 ? 0 : share > 0 ? 10 : 5));
    }
    const name = (k) => `${AXES[axes[k]]} (${unitOf(axes[k])})`;
    context.textAlign = "center";
    context.fillText(name(0), LEFT + INNER / 2, TOP + INNER + 40);
    context.save();
    context.translate(16, TOP + INNER / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(name(1), 0, 0);
    context.restore();
  }
}

// --- space.js
// The scene in three dimensions, turned by hand: surfaces, grippers, paths and query points, far ones drawn first.


const WIDE = 640, HIGH = 440;
const LIGHT = [0.42, 0.3, 0.86]; // from above, so that faces are told from each other
const PIECE = 0.02; // metres: the gripper's lines are cut, so that each piece has a depth of its own

class SpaceView {
  constructor(canvas, redraw) {
    this.canvas = canvas;
    Object.assign(this, { azimuth: 0.6, polar: 0.95, distance: 1.15, redraw, faces: [] });
    let last = null;
    draggable(canvas, WIDE, HIGH, (place, _, first) => {
      if (!first) this.turn((last[0] - place[0]) / 120, (last[1] - place[1]) / 160);
      last = place;
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !canvas.matches(":focus")) return; // the page scrolls
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1.1 : 1 / 1.1);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const turns = { ArrowLeft: [0.12, 0], ArrowRight: [-0.12, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    if (turns[event.key]) this.turn(...turns[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1 / 1.15);
    else if (event.key === "-") this.zoom(1.15);
    else return;
    event.preventDefault();
  }

  turn(azimuth, polar) {
    this.azimuth += azimuth;
    this.polar = Math.min(1.5, Math.max(0.05, this.polar + polar));
    this.redraw();
  }

  zoom(factor) {
    this.distance = Math.min(2.5, Math.max(0.25, this.distance * factor));
    this.redraw();
  }

  /** scene: {vertices, faces, colours, board: [[x, y, z] x 4], centre}. */
  setScene(scene) {
    this.centre = scene.centre;
    this.board = scene.board;
    this.faces = [];
    for (let i = 0; i < scene.faces.length; i += 3) {
      const points = [0, 1, 2].map((k) => Array.from(scene.vertices.subarray(3 * scene.faces[i + k], 3 * scene.faces[i + k] + 3)));
      const edges = [1, 2].map((k) => points[k].map((x, j) => x - points[0][j]));
      const raw = cross(...edges), size = Math.hypot(...raw);
      if (size < 1e-12) continue;
      const normal = raw.map((x) => x / size), lit = 0.62 + 0.38 * normal.reduce((sum, x, j) => sum + x * LIGHT[j], 0);
      const rgb = Array.from(scene.colours.subarray(i, i + 3), (c) => Math.round(Math.min(255, c * lit)));
      this.faces.push({ points, normal, fill: css(rgb) });
    }
  }

  camera() {
    const { azimuth: a, polar: p, distance: d, centre: c } = this;
    const out = [Math.sin(p) * Math.cos(a), Math.sin(p) * Math.sin(a), Math.cos(p)];
    const right = [-Math.sin(a), Math.cos(a), 0], back = out, down = cross(back.map((x) => -x), right);
    const eye = c.map((x, i) => x + d * out[i]);
    const rows = [0, 1, 2].map((i) => [right[i], down[i], -back[i], eye[i]]);
    this.eye = eye;
    return new Camera([620, 0, WIDE / 2, 0, 620, HIGH / 2, 0, 0, 1], [...rows.flat(), 0, 0, 0, 1]);
  }

  /** shown: {sides: [{candidates, path, colour, shape}], gripper, queries, ink}. */
  draw({ sides, gripper, queries, ink }) {
    const context = prepared(this.canvas, WIDE, HIGH);
    if (!this.centre) return;
    const camera = this.camera(), items = [];
    this.polygon(context, camera, this.board, css([150, 152, 158]), 0);
    for (const { points, normal, fill } of this.faces) {
      const towards = normal.reduce((sum, x, i) => sum + x * (this.eye[i] - points[0][i]), 0);
      if (towards > 0) items.push(this.faceItem(context, camera, points, fill));
    }
    for (const side of sides) {
      for (const { pose, share, path } of side.candidates) {
        const colour = css(colourOf(share));
        this.lines(items, context, camera, [path], side.colour, 1.2);
        this.lines(items, context, camera, gripperAt(pose, 0.45), colour, 2.2);
        this.mark(items, context, camera, path.at(-1) ?? [pose[3], pose[7], pose[11]], side);
      }
      this.lines(items, context, camera, [side.path], side.colour, 3);
      if (side.moving) this.lines(items, context, camera, gripperAt(side.moving), side.colour, 3, PIECE);
    }
    this.lines(items, context, camera, gripperAt(gripper), ink, 4, PIECE);
    for (const q of queries) this.mark(items, context, camera, placed(gripper, q), { colour: ink, shape: "circle" });
    items.sort((a, b) => b.depth - a.depth).forEach((item) => item.draw());
  }

  faceItem(context, camera, points, fill) {
    const depth = points.reduce((sum, p) => sum + camera.project(p)[2], 0) / 3;
    return { depth, draw: () => this.polygon(context, camera, points, fill, 0.7) };
  }

  polygon(context, camera, points, fill, rim) {
    context.beginPath();
    points.forEach((p, i) => {
      const [x, y] = camera.project(p);
      if (i) context.lineTo(x, y);
      else context.moveTo(x, y);
    });
    context.closePath();
    context.fillStyle = context.strokeStyle = fill;
    context.fill();
    if (!rim) return;
    context.lineWidth = rim; // closes the seams between neighbours
    context.stroke();
  }

  lines(items, context, camera, lines, colour, width, piece = Infinity) {
    for (const line of lines) {
      for (let i = 1; i < line.length; i++) {
        const length = Math.hypot(...line[i].map((x, k) => x - line[i - 1][k])), n = Math.max(1, Math.ceil(length / piece));
        const between = (t) => line[i - 1].map((x, k) => x + t * (line[i][k] - x));
        for (let k = 0; k < n; k++) {
          const [a, b] = [camera.project(between(k / n)), camera.project(between((k + 1) / n))];
          items.push({ depth: (a[2] + b[2]) / 2, draw: () => this.segment(context, a, b, colour, width) });
        }
      }
    }
  }

  segment(context, a, b, colour, width) {
    context.beginPath();
    context.moveTo(a[0], a[1]);
    context.lineTo(b[0], b[1]);
    context.lineCap = "round";
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }

  /** Circles and squares tell the two sides from each other without colour. */
  mark(items, context, camera, point, { colour, shape }) {
    const [x, y, depth] = camera.project(point);
    items.push({
      depth: depth - 0.002,
      draw: () => {
        context.beginPath();
        if (shape === "square") context.rect(x - 3, y - 3, 6, 6);
        else context.arc(x, y, 3, 0, 2 * Math.PI);
        context.fillStyle = colour;
        context.strokeStyle = "white";
        context.lineWidth = 1;
        context.fill();
        context.stroke();
      },
    });
  }
}

// --- scene.js
// What the page draws of a scene's file.


/** Pictures, cameras, surfaces and known grasps of a scene's file. */
async function drawnScene({ facts, arrays }) {
  const pictures = await Promise.all(Array.from({ length: facts.pictures }, (_, i) => pictureOf(arrays, i)));
  const grasps = arrays.grasps.data;
  return {
    facts,
    pictures,
    K: arrays.picture_K.data,
    Ts: arrays.Ts_world_cam.data,
    vertices: arrays.vertices.data,
    faces: arrays.faces.data,
    colours: arrays.face_colours.data,
    grasps: Array.from({ length: grasps.length / 12 }, (_, i) => Array.from(grasps.subarray(12 * i, 12 * i + 12))),
    board: facts.board,
    centre: facts.centre,
  };
}

async function pictureOf(arrays, i) {
  const name = `picture.${i}`;
  if (!arrays[name]) throw new FileProblem(`array ${name} is missing in the file`);
  return createImageBitmap(new Blob([arrays[name].data], { type: "image/jpeg" }));
}

// --- landscape.js
// What the views ask of a landscape: the value under the gripper, a cut, a climb. Newer questions replace older ones.


const ARROWS = 7; // to a side of a cut
const URGENT = 2, MOVING = 1, BACKGROUND = 0;

/** Questions about one model's landscape over the pool's present scene. */
class Landscape {
  constructor(pool, model) {
    this.pool = pool;
    this.model = model;
    this.questions = {};
  }

  /** A signal that ends when the same kind of question is asked again. */
  begin(kind) {
    this.questions[kind]?.abort();
    this.questions[kind] = new AbortController();
    return this.questions[kind].signal;
  }

  stop() {
    for (const question of Object.values(this.questions)) question.abort();
  }

  stopClimb() {
    this.questions.climb?.abort();
  }

  /** {score, slope}: value of a pose, and its slope per metre (world's axes) and radian (the TCP's axes). */
  async under(T) {
    const signal = this.begin("under");
    const { scores, slopes } = await this.pool.evaluate(this.model, Float64Array.from(T), { urgency: URGENT, signal });
    return { score: scores[0], slope: slopeAtPose(T, slopes) };
  }

  /** Values on a grid of a cut: rows are the vertical axis. `cut`: {centre, axes, halfWidths, offsets}. */
  async cut(cut, grid) {
    const signal = this.begin("cut"), poses = [];
    for (let i = 0; i < grid; i++) {
      for (let j = 0; j < grid; j++) poses.push(...poseAt(cut.centre, coordinatesIn(cut, gridShare(j, grid), gridShare(i, grid))));
    }
    const { scores } = await this.pool.evaluate(this.model, Float64Array.from(poses), { slopes: false, urgency: BACKGROUND, signal });
    return Array.from(scores);
  }

  /** Slopes on few places of a cut: [{at, slope}], score per half width. */
  async arrows(cut) {
    const signal = this.begin("arrows"), places = [];
    for (let i = 0; i < ARROWS; i++) {
      for (let j = 0; j < ARROWS; j++) places.push([(2 * (j + 0.5)) / ARROWS - 1, (2 * (i + 0.5)) / ARROWS - 1]);
    }
    const cs = places.map(([a, b]) => coordinatesIn(cut, a, b)), poses = cs.map((c) => poseAt(cut.centre, c));
    const { slopes } = await this.pool.evaluate(this.model, Float64Array.from(poses.flat()), { urgency: BACKGROUND, signal });
    return places.map((at, k) => {
      const slope = slopeInCoordinates(poses[k], cs[k], slopes.subarray(12 * k, 12 * k + 12));
      return { at, slope: cut.axes.map((axis, i) => slope[axis] * cut.halfWidths[i]) };
    });
  }

  /** The climb of some poses, step by step; ends with an AbortError when it is stopped or another one begins. */
  async *climb(starts, { settings, representation, schedule, bounds }) {
    const signal = this.begin("climb");
    const evaluate = async (poses, slopes) => {
      const answer = await this.pool.evaluate(this.model, poses, { slopes, urgency: MOVING, signal });
      signal.throwIfAborted(); // the pool drops only what it has not begun
      return answer;
    };
    yield* climb(evaluate, starts, settings, representation, schedule, bounds);
  }
}

const gridShare = (i, grid) => (2 * i) / (grid - 1) - 1;

function coordinatesIn({ axes, halfWidths, offsets }, a, b) {
  const c = [...offsets];
  c[axes[0]] = a * halfWidths[0];
  c[axes[1]] = b * halfWidths[1];
  return c;
}

/** Whether an error only says that an answer is not needed any more. */
const isAbort = (error) => error?.name === "AbortError";

/** Candidates of a frame for drawing: share of the value's range, the best one, and the way so far. */
function candidatesOf(frames, until) {
  const frame = frames[until];
  const known = frame.scores.filter((s) => Number.isFinite(s)), low = Math.min(...known), high = Math.max(...known);
  const best = frame.scores.indexOf(high);
  return frame.poses.map((pose, i) => ({
    pose,
    share: Number.isFinite(frame.scores[i]) ? 0.15 + (0.85 * (frame.scores[i] - low)) / (high - low || 1) : 0.4,
    best: i === best && known.length > 1,
    path: frames.slice(0, until + 1).map((f) => positionOf(f.poses[i])),
  }));
}

// --- explorer.js
// The explorer: one gripper over one scene, and the landscapes of one or two models round it.


const REST = 120; // milliseconds without a movement before a cut is computed again
const START = [-0.06, 0.05, 0.04, 0, 0, 0.5]; // of the gripper from a known grasp: near enough to climb, and visibly off
const CANDIDATES = 64;

// Canvases that keys work have the role "application": screen readers keep the arrow keys for themselves elsewhere.

/** One model: its camera view, its cut, what it says. */
class Side {
  constructor(explorer, index) {
    this.explorer = explorer;
    this.colour = ["--dgp-first", "--dgp-second"][index];
    this.shape = ["square", "circle"][index];
    this.title = h("h2", {});
    const picture = h("canvas", {
      tabindex: 0, role: "application", class: "dgp-camera",
      "aria-label": "Camera view with the gripper. Arrow keys move it, page up and down raise and lower it.",
    });
    const plane = h("canvas", {
      tabindex: 0, role: "application", class: "dgp-cut",
      "aria-label": "Cut through the landscape round the gripper. Arrow keys move the gripper in it.",
    });
    this.says = h("p", { class: "dgp-says" });
    this.range = h("p", { class: "dgp-note" });
    this.element = h("section", { class: "dgp-side" }, this.title, picture, this.says, plane, this.range);
    this.camera = new CameraView(picture, (p, settled) => explorer.moveTo(p, settled));
    this.cut = new CutView(plane, (shares, settled) => explorer.moveInCut(shares, settled));
    this.frames = [];
  }

  setModel(model) {
    this.landscape?.stop();
    this.model = model;
    this.landscape = model ? new Landscape(this.explorer.pool, model) : null;
    this.element.hidden = !model;
    this.title.textContent = model ? this.explorer.supply.titleOf(model) : "";
    this.frames = [];
    this.value = null;
  }

  /** Ask for the value under the gripper. */
  async ask() {
    try {
      this.value = await this.landscape.under(this.explorer.gripper);
      this.explorer.draw();
    } catch (error) {
      this.explorer.failed(error);
    }
  }

  async computeCut(cut, grid) {
    this.stale = true;
    try {
      this.cut.setScores(await this.landscape.cut(cut, grid), grid);
      this.stale = false;
      this.range.textContent =
        `Dark is high: values from ${this.cut.range.map((x) => x.toFixed(1)).join(" to ")}, ${grid} × ${grid} poses.`;
      this.explorer.draw();
      this.cut.setSlopes(await this.landscape.arrows(cut));
      this.explorer.draw();
    } catch (error) {
      this.explorer.failed(error);
    }
  }

  /** Climb, and keep every step; the one shown follows unless the visitor looked back. Ends when its path is cleared. */
  async climb(starts, how) {
    const frames = (this.frames = []);
    try {
      for await (const frame of this.landscape.climb(starts, how)) {
        if (this.frames !== frames) break;
        if (frame.done) frames[frames.length - 1] = frame;
        else frames.push(frame);
        // The scores that come with a step were asked for before it: they belong to the poses shown before.
        if (!frame.done && frame.step > 0) frames[frame.step - 1].scores = frame.scores;
        this.explorer.stepped();
      }
    } catch (error) {
      this.explorer.failed(error);
    }
  }

  speak(single, until) {
    const { score, slope } = this.value ?? {};
    if (score == null) return;
    if (single) {
      const there = this.frames[until].scores[0];
      const now = Number.isFinite(there) ? `Value ${there.toFixed(2)}` : "Climbing";
      this.says.replaceChildren(h("strong", {}, now), ` at step ${until}; ${score.toFixed(2)} at the start`);
      return;
    }
    const size = (v) => Math.hypot(...v);
    this.says.replaceChildren(
      h("strong", {}, `Value ${score.toFixed(2)}`),
      `, slope ${(size(slope.slice(0, 3)) / 1e3).toFixed(2)} per mm, ${((size(slope.slice(3)) * Math.PI) / 180).toFixed(2)} per degree`,
    );
  }

  draw(shown, cut) {
    if (!this.model) return;
    const colour = styled(this.element, this.colour), { gripper, queries, step } = shown, c = cut.coordinates;
    const until = Math.min(step, this.frames.length - 1);
    const all = until < 0 ? [] : candidatesOf(this.frames, until), single = all.length === 1;
    const moving = single ? all[0].pose : gripper;
    this.drawn = {
      candidates: single ? [] : all, path: single ? all[0].path : [], moving: single && moving, colour, shape: this.shape,
    };
    this.speak(single, until);
    this.camera.draw({
      ...this.drawn, gripper: moving, slope: single ? null : this.value?.slope.slice(0, 3), queries,
    });
    this.camera.gripper = gripper;
    const share = (pose) => cut.axes.map((axis, i) => coordinatesOf(cut.centre, pose)[axis] / cut.halfWidths[i]);
    const paths = single ? [this.frames.slice(0, until + 1).map((f) => share(f.poses[0]))] : [];
    this.cut.draw({
      axes: cut.axes, halfWidths: cut.halfWidths, gripper: cut.axes.map((axis, i) => c[axis] / cut.halfWidths[i]),
      paths, ink: styled(this.element, "--dgp-ink"), colour, stale: this.stale,
    });
  }
}

/** State and views. `supply`: see main.js. `changed()` is called when controls must follow. */
class Explorer {
  constructor(supply, pool, changed) {
    Object.assign(this, { supply, pool, changed, onError: () => {}, step: Infinity, seed: 1, showQueries: true });
    this.sides = [new Side(this, 0), new Side(this, 1)];
    const canvas = h("canvas", {
      tabindex: 0, role: "application", class: "dgp-space",
      "aria-label": "The scene in three dimensions. Arrow keys turn it, plus and minus change the distance.",
    });
    this.spaceElement = canvas;
    this.space = new SpaceView(canvas, () => this.draw());
    this.axes = [0, 1];
    this.zoom = 1;
    this.grid = 21;
    this.cameraIndex = 0;
  }

  get used() {
    return this.sides.filter((side) => side.model);
  }

  setScene(scene) {
    this.scene = scene;
    this.space.setScene(scene);
    this.setCamera(Math.min(this.cameraIndex, scene.pictures.length - 1));
    for (const side of this.sides) side.frames = [];
    this.setCentre(0);
    this.coordinates = [...START];
    this.keepInside(positionOf(this.gripper));
    this.settle();
  }

  setCamera(index) {
    this.cameraIndex = index;
    for (const side of this.sides) side.camera.setScene(this.scene, index);
    this.draw();
  }

  /** Cuts go round a known grasp (its number), or round where the gripper is ("here"). */
  setCentre(which) {
    this.centre = which === "here" ? this.gripper : this.scene.grasps[which] ?? this.scene.facts.middle;
    this.coordinates = [0, 0, 0, 0, 0, 0];
    this.settle();
  }

  get gripper() {
    return poseAt(this.centre, this.coordinates);
  }

  get cut() {
    const halfWidths = this.axes.map((axis) => HALF_WIDTHS[axis] / this.zoom);
    return { centre: this.centre, axes: this.axes, halfWidths, offsets: this.coordinates, coordinates: this.coordinates };
  }

  /** The TCP to a point of the world, inside of the workspace; null: it was let go. */
  moveTo(p, settled) {
    if (!this.scene) return;
    if (p) this.keepInside(p);
    this.moved(settled);
  }

  /** The TCP to the nearest place of the workspace. */
  keepInside(p) {
    const [low, high] = this.supply.catalogue.bounds, from = positionOf(this.centre);
    p.forEach((x, i) => (this.coordinates[i] = Math.min(high[i], Math.max(low[i], x)) - from[i]));
  }

  moveInCut(shares, settled) {
    if (!this.scene) return;
    const { halfWidths } = this.cut;
    shares?.forEach((share, i) => (this.coordinates[this.axes[i]] = Math.min(1, Math.max(-1, share)) * halfWidths[i]));
    this.moved(settled);
  }

  moved(settled) {
    this.clearPaths();
    this.ask();
    this.changed();
    if (settled) this.settle();
    else this.draw();
  }

  /** A single climber's path belongs to where it started, and its climb ends with it; many may stay. */
  clearPaths() {
    for (const side of this.used) {
      if (side.frames[0]?.poses.length !== 1) continue;
      side.landscape.stopClimb();
      side.frames = [];
    }
  }

  ask() {
    if (this.scene) for (const side of this.used) side.ask();
  }

  /** Everything anew once the visitor rests; a cut through the same plane is not computed again. */
  settle() {
    this.ask();
    this.changed();
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.computeCuts(), REST);
  }

  computeCuts() {
    if (!this.scene) return;
    const { coordinates, ...cut } = this.cut, offsets = coordinates.map((x, i) => (this.axes.includes(i) ? 0 : x));
    for (const side of this.used) {
      const plane = JSON.stringify([side.model, this.scene.facts.id, this.grid, { ...cut, offsets }]);
      if (side.plane === plane) continue;
      side.plane = plane;
      side.computeCut({ ...cut, offsets }, this.grid).then(() => side.stale && (side.plane = null));
    }
  }

  /** how: {settings, representation, schedule}. many: random poses, the same for both sides. */
  async climb(how, many) {
    const { bounds } = this.supply.catalogue;
    const starts = many ? uniformPoses(CANDIDATES, bounds, randomFrom(this.seed)) : [this.gripper];
    this.step = Infinity;
    const begun = performance.now();
    await Promise.all(this.used.map((side) => side.climb(starts, { ...how, bounds })));
    return (performance.now() - begun) / 1e3;
  }

  stop() {
    for (const side of this.used) side.landscape.stop();
  }

  get steps() {
    return Math.max(0, ...this.used.map((side) => side.frames.length - 1));
  }

  stepped() {
    this.changed();
    this.draw();
  }

  /** The gripper to where a side's (best) candidate is. */
  take(side) {
    const frame = side.frames[Math.min(this.step, side.frames.length - 1)];
    if (!frame) return;
    const best = frame.poses.length > 1 ? frame.scores.indexOf(Math.max(...frame.scores.filter(Number.isFinite))) : 0;
    this.coordinates = coordinatesOf(this.centre, frame.poses[Math.max(0, best)]);
    this.clearPaths();
    this.settle();
  }

  failed(error) {
    if (!isAbort(error)) this.onError(error);
  }

  /** Draw soon, once for many calls; after a picture that took long the page gets as long a rest. */
  draw() {
    if (this.pending || !this.scene || !this.centre) return;
    this.pending = true;
    setTimeout(() => requestAnimationFrame((begun) => {
      this.pending = false;
      this.drawNow();
      this.took = performance.now() - begun;
    }), Math.min(REST, this.took ?? 0));
  }

  drawNow() {
    const queries = this.showQueries ? this.supply.queriesOf(this.used[0]?.model) : [], gripper = this.gripper;
    for (const side of this.used) side.draw({ gripper, queries, step: this.step }, this.cut);
    this.space.draw({
      sides: this.used.map((side) => side.drawn), gripper, queries, ink: styled(this.spaceElement, "--dgp-ink"),
    });
  }
}

// --- panel.js
// The controls of the explorer, and what they say to it.


const DEGREE = Math.PI / 180;
const NUMBERS = {
  steps: { text: "steps", min: 1, max: 64, step: 1, show: (x) => x.toFixed(0) },
  translation_rate: { text: "translation rate", min: 1e-3, max: 0.3, log: true, show: (x) => `${(1e3 * x).toPrecision(3)} mm` },
  rotation_rate: { text: "rotation rate", min: 3e-3, max: 3, log: true, show: (x) => x.toPrecision(3) },
  translation_decay: { text: "translation decay", min: 0.5, max: 1, step: 0.005, show: (x) => x.toFixed(3) },
  rotation_decay: { text: "rotation decay", min: 0.5, max: 1, step: 0.005, show: (x) => x.toFixed(3) },
};
const DROP = 4, KEEP = 16; // "drop": after so many steps only the best so many climb on, as our profiles do

/** Controls bound to an explorer. */
class Panel {
  constructor(explorer, supply, loadScene, loadModels) {
    Object.assign(this, { explorer, supply, loadScene, loadModels, climbs: 0 });
    this.status = h("p", { class: "dgp-status", role: "status", "aria-live": "polite" });
    this.bar = h("div", { class: "dgp-bar" }, ...this.choices());
    this.acts = h("div", { class: "dgp-bar" }, ...this.buttons());
    this.element = h("div", { class: "dgp-controls" }, this.gripperGroup(), this.cutGroup(), this.climbGroup());
    this.usePolicy(this.policy.value);
    enable([this.bar, this.acts, this.element], false);
  }

  /** The first files are here, or are not to be had: others can be chosen. */
  firstLoaded() {
    enable([this.scene, this.left, this.right].map((list) => list.element), true);
  }

  say(text, wrong = false) {
    this.status.textContent = text;
    this.status.classList.toggle("dgp-wrong", wrong);
  }

  choices() {
    const { scenes, models, first } = this.supply.catalogue, named = models.map(({ id, title }) => [id, title]);
    this.scene = choice("Scene", scenes.map(({ id, title }) => [id, title]), first.scene, (id) => this.loadScene(id));
    const load = () => this.loadModels([this.left.value, this.right.value]);
    this.left = choice("Left model", named, first.models[0], load);
    this.right = choice("Right model", [["", "none"], ...named], first.models[1] ?? "", load);
    this.camera = choice("Camera", [["0", "1"], ["1", "2"]], "0", (i) => this.explorer.setCamera(Number(i)));
    const queries = tick("show the points that the network reads", true, (on) => {
      this.explorer.showQueries = on;
      this.explorer.draw();
    });
    return [this.scene, this.left, this.right, this.camera, queries].map((control) => control.element);
  }

  buttons() {
    const { explorer } = this;
    this.step = slider("step", { min: 0, max: 1, step: 1, value: 0, show: (x) => x.toFixed(0) }, (x) => {
      explorer.step = x;
      explorer.draw();
    });
    return [
      button("Let the gripper climb", () => this.climb(false)),
      button("Let 64 climb", () => this.climb(true)),
      button("Other 64 starts", () => (explorer.seed++, this.climb(true))),
      button("Stop", () => (explorer.stop(), this.say("Stopped."))),
      this.step.element,
      button("Gripper to the climb’s end, left", () => explorer.take(explorer.sides[0])),
      button("Gripper to the climb’s end, right", () => explorer.take(explorer.sides[1])),
    ];
  }

  gripperGroup() {
    this.place = AXES.map((name, axis) => {
      const reach = Math.round(inUnits(axis, axis < 3 ? 3 * HALF_WIDTHS[axis] : Math.PI * 0.95));
      const unit = unitOf(axis), show = (x) => `${x.toFixed(0)}${unit === "°" ? unit : ` ${unit}`}`;
      return slider(name, { min: -reach, max: reach, step: 1, value: 0, show }, (x, settled) => {
        this.explorer.coordinates[axis] = axis < 3 ? x / 1e3 : x * DEGREE;
        this.explorer.moved(settled);
      });
    });
    const note = h("p", { class: "dgp-note" }, "How far it is from the centre of the cut, along the world’s axes, and how far it is turned about its own. " +
      "You can also drag it in a picture; with the shift key held it rises and sinks.");
    return group("The gripper", note, ...this.place.map((control) => control.element));
  }

  cutGroup() {
    const axes = AXES.map((name, i) => [String(i), name]);
    const changed = () => this.setAxes();
    this.across = choice("horizontal axis", axes, "0", changed);
    this.upwards = choice("vertical axis", axes, "1", changed);
    this.zoom = slider("zoom", { min: 0.5, max: 8, value: 1, log: true, show: (x) => `× ${x.toFixed(1)}` }, (x, settled) => {
      this.explorer.zoom = x;
      if (settled) this.explorer.settle();
      else this.explorer.draw();
    });
    this.grid = choice("grid", [["11", "11 × 11"], ["21", "21 × 21"], ["31", "31 × 31"]], "21", (n) => {
      this.explorer.grid = Number(n);
      this.explorer.settle();
    });
    this.centre = choice("centre", [], "0", (which) => {
      this.explorer.setCentre(which === "here" ? which : Number(which));
      if (which === "here") this.say("The cut goes round the gripper now.");
    });
    const note = h("p", { class: "dgp-note" }, "The coloured squares: values of poses that differ from the gripper’s along two axes. " +
      "Arrows point uphill. Click into a square to move the gripper there.");
    return group("The cut", note, ...[this.centre, this.across, this.upwards, this.zoom, this.grid].map((c) => c.element));
  }

  setAxes() {
    const axes = [Number(this.across.value), Number(this.upwards.value)];
    if (axes[0] === axes[1]) {
      this.say(`The cut needs two different axes; both are “${AXES[axes[0]]}”.`, true);
      return;
    }
    this.explorer.axes = axes;
    this.explorer.settle();
    this.say(`Cut along ${AXES[axes[0]]} and ${AXES[axes[1]]}.`);
  }

  climbGroup() {
    const policies = Object.entries(this.supply.catalogue.policies).map(([id, { title }]) => [id, title]);
    this.policy = choice("tuned for", policies, this.supply.catalogue.first.policy, (id) => this.usePolicy(id));
    this.numbers = Object.fromEntries(Object.entries(NUMBERS).map(([name, { text, ...range }]) => [
      name, slider(text, { ...range, value: range.max / 2 }, () => {}),
    ]));
    this.schedule = choice("order", [["sync", "both at once (sync)"], ["seq", "translation, then rotation (seq)"]], "sync", () => {});
    this.representation = choice("rotation as", [["quat", "quaternion"], ["6d", "6D"]], "quat", () => {});
    this.drop = tick(`after ${DROP} steps only the best ${KEEP} climb on`, false, () => {});
    const controls = [this.policy, ...Object.values(this.numbers), this.schedule, this.representation, this.drop];
    const note = h("p", { class: "dgp-note" }, "A rate is the length of the first step; each step is shorter by the decay. " +
      "All settings are those of a tuned policy until you change them.");
    return group("The climb", note, ...controls.map((c) => c.element));
  }

  /** All settings of a tuned policy. */
  usePolicy(id) {
    const { optimizer, schedule, representation } = this.supply.catalogue.policies[id];
    for (const [name, control] of Object.entries(this.numbers)) control.set(optimizer[name]);
    this.schedule.set(schedule);
    this.representation.set(representation);
    this.rest = optimizer;
  }

  get how() {
    const chosen = Object.fromEntries(Object.entries(this.numbers).map(([name, control]) => [name, control.value]));
    const { gradient_clip: clip, clip_to_workspace: inside } = this.rest;
    const settings = { ...chosen, steps: Math.round(chosen.steps), gradient_clip: clip, clip_to_workspace: inside };
    return { settings, schedule: this.schedule.value, representation: this.representation.value };
  }

  async climb(many) {
    const how = this.how, explorer = this.explorer;
    if (!explorer.scene) {
      this.say("There is no scene to climb in yet.", true);
      return;
    }
    how.settings.pruning = many && this.drop.value ? [[DROP, KEEP]] : [];
    this.say(many ? "64 candidates climb from random poses, the same on both sides." : "The gripper climbs.");
    const number = ++this.climbs, seconds = await explorer.climb(how, many);
    if (number !== this.climbs) return; // another climb has begun, which speaks for itself
    if (explorer.used.every((side) => side.frames.length === 0)) {
      this.say("The climb has ended, since the gripper was moved.");
      return;
    }
    const ends = explorer.used.map((side) => {
      const known = side.frames.at(-1)?.scores.filter(Number.isFinite) ?? [];
      return `${this.supply.titleOf(side.model)}: ${known.length ? Math.max(...known).toFixed(2) : "–"}`;
    });
    const colours = many ? " The darker a candidate is, the higher its value; the thick one has the highest." : "";
    this.say(`${explorer.steps} steps in ${seconds.toFixed(1)} s. ${many ? "Best values" : "Values"} at the end: ${ends.join("; ")}.${colours}`);
  }

  /** Controls follow the explorer: after a drag, a climb, another scene. */
  follow() {
    const { explorer } = this;
    explorer.coordinates?.forEach((x, axis) => this.place[axis].set(Math.round(inUnits(axis, x))));
    const steps = explorer.steps;
    this.step.input.max = Math.max(1, steps);
    this.step.set(Math.min(explorer.step, steps));
    this.step.input.disabled = steps === 0;
  }

  /** Lists that belong to a scene. */
  sceneShown(scene) {
    const grasps = scene.grasps.map((_, i) => [String(i), `known grasp ${i + 1}`]);
    this.centre.fill([...(grasps.length ? grasps : [["0", "the middle of the board"]]), ["here", "the gripper's place"]], "0");
    this.camera.fill(scene.pictures.map((_, i) => [String(i), String(i + 1)]), String(this.explorer.cameraIndex));
    enable([this.bar, this.acts, this.element], true);
    this.follow();
  }
}

// --- plane.js
// The idea in a plane: two small networks learn while the visitor watches, one without slopes, one with as much of
// L_aux as the slider says.


const PLANE = 320;
const STAR = [0.45, 0.3]; // the good action of plane_network.js

/** The section: {element, close}. Training begins when it is first seen. */
function planeSection() {
  const left = new PlaneView("main loss only"), right = new PlaneView("main loss + weight × second loss");
  let weight = 1, seed = 0;
  const begin = () => {
    left.train(0, seed);
    right.train(weight, seed);
  };
  const control = slider("weight of the second loss (L_aux)", { min: 0, max: 2, step: 0.05, value: 1, show: (x) => x.toFixed(2) }, (x, settled) => {
    weight = x;
    if (settled) right.train(weight, seed);
  });
  const controls = h("div", { class: "dgp-bar" }, control.element, button("Train again, from other weights", () => (seed++, begin())));
  const element = h("section", { class: "dgp-plane" },
    h("h2", {}, "The idea in a plane"),
    h("p", {}, "Two small networks learn the same good action (the star) from one demonstrated action and random wrong ones. " +
      "The right one also learns that its slope points along demonstrated paths. Lines are 40 walkers that climb from random places."),
    controls, h("div", { class: "dgp-sides" }, left.element, right.element));
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    begin();
  });
  seen.observe(element);
  return { element, close: () => (seen.disconnect(), left.close(), right.close()) };
}

class PlaneView {
  constructor(title) {
    this.canvas = h("canvas", { role: "img", class: "dgp-square", "aria-label": `Landscape of the network: ${title}` });
    this.says = h("p", { class: "dgp-says" }, "not trained yet");
    this.element = h("figure", { class: "dgp-side" }, h("figcaption", {}, title), this.canvas, this.says);
  }

  train(weight, seed) {
    if (!this.worker) {
      this.worker = new Worker(URL.createObjectURL(new Blob([PLANE_WORKER_SOURCE], { type: "text/javascript" })));
      this.worker.onmessage = ({ data }) => this.draw(data);
    }
    this.worker.postMessage({ weight, seed });
  }

  draw({ step, of, values, grid, paths, arrived }) {
    const context = prepared(this.canvas, PLANE, PLANE), half = PLANE / (grid - 1) / 2;
    const at = ([x, y]) => [((x + 1) / 2) * PLANE, ((1 - y) / 2) * PLANE];
    context.drawImage(shaded(values, grid).canvas, -half, -half, PLANE + 2 * half, PLANE + 2 * half);
    for (const path of paths) stroke(context, path.map(at), "#d95f02", 1.2, 0.8);
    dot2(context, at(STAR), 9, "#d7191c");
    context.fillStyle = "white";
    context.font = "14px sans-serif";
    context.textAlign = "center";
    context.fillText("★", at(STAR)[0], at(STAR)[1] + 5);
    this.says.textContent = `Step ${step} of ${of}: ${Math.round(100 * arrived)} % of the walkers end within 0.1 of the star.`;
  }

  close() {
    this.worker?.terminate();
  }
}

// --- main.js
// Entry: the explorer in a notebook (anywidget calls `render`) and in a page (`mount`).
//
// A supply says what there is and loads it:
//   catalogue  {scenes: [{id, title}], models: [{id, title}], policies: {id: {title, schedule, representation,
//              optimizer}}, bounds: [low, high], first: {scene, models, policy}}
//   load       (kind, id) -> bytes of a model's or a scene's file, as dgrasp/report/play/export.py writes it
//   still      address of a picture for browsers that cannot compute, or null


const WANTED = {
  WebAssembly: "WebAssembly", Worker: "Web Workers", DecompressionStream: "DecompressionStream (browsers of 2023 and later)",
  createImageBitmap: "createImageBitmap",
};

/** The explorer in `element`; resolves when the first scene can be played. Returns {close, explorer}. */
async function mount(element, supply) {
  element.classList.add("dgp");
  const lacks = lacking(WANTED);
  if (lacks.length) return instead(element, supply, `This browser has no ${lacks.join(", no ")}, which computing here needs.`);
  const app = new App(element, supply);
  await app.start();
  return app;
}

/** A message, and the static picture. */
function instead(element, { still }, text) {
  const picture = still ? [h("img", { src: still, alt: "Two landscapes round a grasp, Base and dGrasp, as a still picture" })] : [];
  element.replaceChildren(h("p", { class: "dgp-status dgp-wrong", role: "alert" }, text), ...picture);
  return { close: () => {} };
}

class App {
  constructor(element, supply) {
    this.element = element;
    this.queries = {};
    this.asked = { model: 0, scene: 0 }; // how often: an answer to an earlier wish is dropped
    this.supply = {
      ...supply,
      titleOf: (model) => supply.catalogue.models.find(({ id }) => id === model)?.title ?? model,
      queriesOf: (model) => this.queries[model] ?? [],
    };
    this.pool = new Pool(WORKER_SOURCE, decoded(WASM));
    this.explorer = new Explorer(this.supply, this.pool, () => this.panel?.follow());
    this.panel = new Panel(this.explorer, this.supply, (id) => this.loadScene(id), (models) => this.loadModels(models));
    this.explorer.onError = (error) => this.failed(error);
    this.followTheme();
  }

  /** What is drawn has the theme's colours: of the system, or as page and notebook choose it. */
  followTheme() {
    const recolour = () => this.explorer.draw(), system = matchMedia("(prefers-color-scheme: dark)");
    const chosen = new MutationObserver(recolour);
    system.addEventListener("change", recolour);
    chosen.observe(document.body, { attributeFilter: ["class", "data-theme", "data-jp-theme-light"] });
    this.leaveTheme = () => (system.removeEventListener("change", recolour), chosen.disconnect());
  }

  async start() {
    const { panel, explorer } = this, { first } = this.supply.catalogue;
    const sides = h("div", { class: "dgp-sides" }, ...explorer.sides.map((side) => side.element));
    const space = h("section", { class: "dgp-side" }, h("h2", {}, "The same scene, turned by hand"), explorer.spaceElement,
      h("p", { class: "dgp-note" }, "Squares: the left model’s candidates. Circles: the right model’s. Black or white: the gripper that you move. " +
        "The wheel changes the distance with Ctrl held, or after a click into the scene."));
    const plane = planeSection();
    this.plane = plane;
    this.element.replaceChildren(panel.bar, panel.acts, panel.status, sides, h("div", { class: "dgp-lower" }, space, panel.element), plane.element);
    try {
      await this.loadModels([first.models[0], first.models[1] ?? ""]);
      await this.loadScene(first.scene);
    } catch (error) {
      this.failed(error); // said already where a file is at fault
    }
    panel.firstLoaded();
  }

  /** Compressed bytes -> {buffer, file}. */
  async fetched(kind, id) {
    const buffer = await inflate(await this.supply.load(kind, id));
    return { buffer, file: readFile(buffer, kind) };
  }

  async loadModels(models) {
    await this.trying("model", async (wanted) => {
      for (const id of models.filter((id) => id && !this.queries[id])) {
        const { buffer, file } = await this.fetched("model", id);
        await this.pool.addModel(id, buffer);
        const points = file.arrays.points.data;
        this.queries[id] = Array.from({ length: points.length / 3 }, (_, i) => Array.from(points.subarray(3 * i, 3 * i + 3)));
        this.phi = file.facts.phi;
      }
      if (!wanted()) return;
      models.forEach((id, i) => this.explorer.sides[i].model !== id && this.explorer.sides[i].setModel(id));
      this.element.classList.toggle("dgp-single", !models[1]);
      if (this.explorer.scene) this.explorer.settle();
    });
  }

  async loadScene(id) {
    await this.trying("scene", async (wanted) => {
      const { buffer, file } = await this.fetched("scene", id);
      if (!wanted()) return;
      if (file.facts.phi !== this.phi) {
        throw new FileProblem(`scene ${id}: made with Phi ${file.facts.phi}, the models read Phi ${this.phi}; export both again`);
      }
      const scene = await drawnScene(file);
      if (!wanted()) return;
      this.explorer.stop();
      await this.pool.setScene(buffer); // shown even if something else is wanted by now: the workers have it
      this.explorer.setScene(scene);
      this.panel.sceneShown(scene);
      if (wanted()) this.panel.say("Drag the gripper in a picture, or let it climb.");
    });
  }

  /** Load and show, act(wanted); wanted(): whether nothing else of the kind was chosen meanwhile. */
  async trying(what, act) {
    const number = ++this.asked[what], wanted = () => number === this.asked[what];
    this.panel.say(`Loading the ${what} …`);
    try {
      await act(wanted);
      if (what === "model" && wanted()) this.panel.say("");
    } catch (error) {
      if (wanted()) this.failed(error);
    }
  }

  failed(error) {
    if (isAbort(error)) return;
    this.panel.say(error instanceof FileProblem ? `This cannot be shown: ${error.message}.` : `Something unexpected: ${error.message}`, true);
    if (!this.explorer.scene && this.supply.still && !this.element.querySelector("img")) {
      this.panel.status.after(h("img", { src: this.supply.still, alt: "Two landscapes round a grasp, as a still picture" }));
    }
  }

  close() {
    this.leaveTheme();
    this.explorer.stop();
    this.pool.close();
    this.plane.close();
  }
}

/** For anywidget: files come from Python, when they are asked for. */
function render({ model, el }) {
  const waiting = new Map();
  model.on("msg:custom", (message, buffers) => {
    const { resolve, reject } = waiting.get(message.key) ?? {};
    waiting.delete(message.key);
    if (message.error) reject?.(new FileProblem(message.error));
    else resolve?.(new Uint8Array(buffers[0].buffer ?? buffers[0], buffers[0].byteOffset ?? 0, buffers[0].byteLength));
  });
  const load = askingOnce((kind, id) => new Promise((resolve, reject) => {
    const key = `${kind} ${id}`;
    waiting.set(key, { resolve, reject });
    model.send({ key, kind, id });
  }));
  const app = mount(el, { catalogue: model.get("catalogue"), load, still: model.get("still") || null });
  el.dgrasp = app;
  return () => app.then((one) => one.close());
}

export default { render };
