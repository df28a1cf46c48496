import com.pixelmed.validate.DicomSRValidator;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import net.sf.saxon.jaxp.TransformerImpl;

/** Says of each report whose path it is told what is wrong with it: its rules take 2 s to read. */
class Judge {
    public static void main(String[] arguments) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        Field second = DicomSRValidator.class.getDeclaredField("transformerPass2");
        second.setAccessible(true);
        BufferedReader paths = new BufferedReader(new InputStreamReader(System.in));
        for (String path = paths.readLine(); path != null; path = paths.readLine()) {
            // else it compares all of them with the first one
            ((TransformerImpl) second.get(validator)).getUnderlyingController().clearDocumentPool();
            // as its command does with -donotmatchcase -checkcontentitemorder -checktemplateid
            System.out.println(validator.validate(path, false, false, false, true, false));
            System.out.println(arguments[0]); // where what is said of it ends
        }
    }
}
